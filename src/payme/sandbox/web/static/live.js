// Renews the content every two seconds. Without JavaScript the page renews itself whole.
"use strict";

const PERIOD_MS = 2000;

function busy() {
  const active = document.activeElement;
  return document.hidden || (active && active.closest("main form")) || !getSelection().isCollapsed;
}

async function renew() {
  if (busy()) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const open = [...document.querySelectorAll("main li[id] details[open]")];
  for (const details of open) {
    const same = fresh.getElementById(details.closest("li").id);
    if (same) same.querySelector("details").open = true;
  }
  for (const part of ["main", "header .now"]) {
    const [old, next] = [document, fresh].map((page) => page.querySelector(part));
    if (old && next && old.innerHTML !== next.innerHTML) old.replaceWith(document.adoptNode(next));
  }
}

// The next renewal waits for this one: a slow page must not be asked for again meanwhile.
async function live() {
  await renew().catch(() => {});
  setTimeout(live, PERIOD_MS);
}

setTimeout(live, PERIOD_MS);
