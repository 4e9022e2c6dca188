// The page's half of the card form: a token, never a card, goes to the club's server.
const form = document.querySelector("payme-card-form");
const refused = document.getElementById("refused");
const csrf = document.querySelector("meta[name=csrf]").content;

const save = async (token) => {
  const answer = await fetch("/cards", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrf },
    body: JSON.stringify({ token }),
  });
  if (answer.status === 409) return "unverified"; // the form asks for the code again
  if (answer.status === 422) {
    form.reset(); // another card is needed
    refused.textContent = (await answer.json()).error;
  } else if (!answer.ok) throw new Error(answer.status); // the form offers to try again
};

form.addEventListener("payme-card", ({ detail }) => {
  refused.textContent = "";
  detail.waitUntil(save(detail.token));
});
form.addEventListener("payme-state", ({ detail }) => {
  if (detail.state === "done") location.assign("/me");
});
