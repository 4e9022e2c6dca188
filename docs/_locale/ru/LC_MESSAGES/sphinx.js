Documentation.addTranslations({
    "locale": "ru",
    "messages": {
        "Hide Search Matches": "Убрать подсветку найденного",
        "Preparing search...": "Поиск готовится\u2026",
        "Search Results": "Результаты поиска",
        "Searching": "Идёт поиск",
        "Search finished, found one page matching the search query.": ["Найдена ${resultCount} страница.", "Найдено ${resultCount} страницы.", "Найдено ${resultCount} страниц."],
        "Search finished, found ${resultCount} page(s) matching the search query.": "Найдено страниц: ${resultCount}.",
        "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.": "Ничего не найдено. Проверьте, нет ли в словах опечаток.",
        ", in ": ", здесь: "
    },
    "plural_expr": "n % 10 == 1 && n % 100 != 11 ? 0 : n % 10 >= 2 && n % 10 <= 4 && (n % 100 < 12 || n % 100 > 14) ? 1 : 2"
});
