// Shows the buttons that copy a text, which need JavaScript, and serves them.
"use strict";

const SHOWN_MS = 1500;

function reveal(root) {
  for (const button of root.querySelectorAll("button.copy[hidden]")) button.hidden = false;
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
  } catch {
    // Not a secure origin, or not allowed: what is selected can be copied by hand.
    getSelection().selectAllChildren(source);
    return;
  }
  const label = (button.dataset.label ??= button.textContent);
  button.textContent = button.dataset.done;
  setTimeout(() => { button.textContent = label; }, SHOWN_MS);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  event.preventDefault();
  copy(button);
});

reveal(document);
new MutationObserver(() => reveal(document)).observe(document.body, { childList: true, subtree: true });
