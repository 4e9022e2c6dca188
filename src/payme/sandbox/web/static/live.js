// Renews the content every two seconds. Without JavaScript the page renews itself whole.
//
// What did not change stays the node that it was: the focus, a selection, what is typed, what is
// folded out and how far a box is scrolled are all kept.
"use strict";

const PERIOD_MS = 2000;
// What a person has changed in the page, and the server does not know.
const KEPT = new Set(["open", "value", "checked", "selected", "hidden", "data-label"]);

function attributes(old, next) {
  for (const { name } of [...old.attributes])
    if (!KEPT.has(name) && !next.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of next.attributes)
    if (!KEPT.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
}

function same(old, next) {
  return old.nodeType === next.nodeType && old.nodeName === next.nodeName && old.id === next.id;
}

function children(old, next) {
  const named = new Map([...old.children].filter((one) => one.id).map((one) => [one.id, one]));
  let at = old.firstChild;
  for (const fresh of [...next.childNodes]) {
    const found = fresh.id ? named.get(fresh.id) : at && !at.id && same(at, fresh) ? at : null;
    if (!found) {
      old.insertBefore(document.adoptNode(fresh), at);
    } else {
      if (found === at) at = at.nextSibling;
      else old.insertBefore(found, at);
      morph(found, fresh);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function morph(old, next) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
  } else if (old.nodeName !== next.nodeName) {
    old.replaceWith(document.adoptNode(next));
  } else if (!old.matches("button.copy") && !old.isEqualNode(next)) {
    attributes(old, next);
    children(old, next);
  }
}

async function renew() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of ["main", "header .now"]) {
    const [old, next] = [document, fresh].map((page) => page.querySelector(part));
    if (old && next) morph(old, next);
  }
}

// The next renewal waits for this one: a slow page must not be asked for again meanwhile.
async function live() {
  await renew().catch(() => {});
  setTimeout(live, PERIOD_MS);
}

setTimeout(live, PERIOD_MS);
