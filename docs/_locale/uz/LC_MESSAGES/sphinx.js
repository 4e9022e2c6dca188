Documentation.addTranslations({
    "locale": "uz",
    "messages": {
        "Hide Search Matches": "Topilganlarni belgilamaslik",
        "Preparing search...": "Qidiruv tayyorlanmoqda\u2026",
        "Search Results": "Qidiruv natijalari",
        "Searching": "Qidirilmoqda",
        "Search finished, found one page matching the search query.": ["${resultCount} ta sahifa topildi.", "${resultCount} ta sahifa topildi."],
        "Search finished, found ${resultCount} page(s) matching the search query.": "${resultCount} ta sahifa topildi.",
        "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.": "Hech narsa topilmadi. Soʻzlar toʻgʻri yozilganini tekshiring.",
        ", in ": ", bu yerda: "
    },
    "plural_expr": "n != 1 ? 1 : 0"
});
