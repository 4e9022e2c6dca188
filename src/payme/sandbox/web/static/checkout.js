// Groups the digits, fills in a test card, and keeps what was typed when it was wrong.
//
// A card's number stays in its input: the answer never carries it, and no store of the browser
// gets it. Without JavaScript all of it works as a plain form.
"use strict";

const EXPIRE = /^(\d{2})\/?(\d{1,2})$/;

function regroup(input) {
  // Of a masked number nothing can be kept when it is changed.
  if (input.value.includes("*")) {
    input.value = "";
    document.getElementById("known").value = "";
    return;
  }
  // The caret keeps its place among the digits.
  const before = input.value.slice(0, input.selectionStart).replace(/\D/g, "").length;
  const grouped = input.value.replace(/\D/g, "").slice(0, 18).replace(/(\d{4})(?=\d)/g, "$1 ");
  if (grouped === input.value) return;
  input.value = grouped;
  let caret = 0;
  for (let seen = 0; seen < before && caret < grouped.length; caret++)
    if (grouped[caret] !== " ") seen++;
  input.setSelectionRange(caret, caret);
}

function say(text) {
  const error = document.getElementById("error");
  error.textContent = text;
  error.hidden = !text;
}

function waits(button, on) {
  const label = (button.dataset.label ??= button.textContent);
  button.disabled = on;
  button.textContent = on ? button.dataset.waiting : label;
}

async function send(form) {
  const button = form.querySelector("button.primary");
  if (button.disabled) return;
  waits(button, true);
  say("");
  try {
    const body = new URLSearchParams(new FormData(form));
    const headers = { "X-Sandbox-Script": "1" };
    const answer = await fetch(form.action, { method: "POST", body, headers });
    const next = answer.headers.get("X-Sandbox-Next");
    if (next) return location.assign(next);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const error = fresh.getElementById("error");
    if (!fresh.getElementById(form.id) || !error || !error.textContent) {
      // Another step, or the end of the receipt: nothing of what was typed belongs there.
      document.querySelector("main").replaceWith(document.adoptNode(fresh.querySelector("main")));
      document.querySelector("main [autofocus]")?.focus();
      return;
    }
    // What was said of the step before, such as that a code was sent, is no news beside an error.
    document.querySelector("main .notice")?.removeAttribute("class");
    say(error.textContent);
    const input = form.querySelector("input[required]");
    input.setAttribute("aria-invalid", "true");
    input.focus();
    input.select();
  } catch {
    say(document.querySelector("main").dataset.noAnswer);
  }
  waits(button, false);
}

document.addEventListener("submit", (event) => {
  if (!["card-form", "code-form"].includes(event.target.id)) return;
  event.preventDefault();
  send(event.target);
});

document.addEventListener("input", ({ target }) => {
  if (target.id === "number") regroup(target);
  if (target.id === "expire" && /^\d{3,4}$/.test(target.value))
    target.value = target.value.replace(EXPIRE, "$1/$2");
});

document.addEventListener("click", (event) => {
  const card = event.target.closest("a[data-number]");
  if (!card) return;
  event.preventDefault();
  document.getElementById("number").value = card.dataset.number;
  // One's own card stays masked here: the server knows the number that this stands for.
  document.getElementById("known").value = card.dataset.known ?? "";
  document.getElementById("expire").value = card.dataset.expire;
  say("");
  document.querySelector("#card-form button.primary").focus();
});
