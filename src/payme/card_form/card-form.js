// <payme-card-form>: binds a card to a cash-box of Payme's. Number, expiry and SMS code go from
// the payer's page to Payme and nowhere else. Part of payme-uz; docs/en/cards.md says how to use it.
// This is the source: `python -m payme.card_form` makes static/payme/card-form.js of it, which has
// the catalogue's texts and neither comments nor indentation.

// <generated> API, LOGO, OFFER, LANGUAGES, TABLE, RULES

const FIELDS = ["number", "expiry", "code"];
const TIMEOUT = 30_000; // ms: one of Payme's test cards answers after 10 s
const MASKS = ["ym-disable-keys", "ph-no-capture"];
const TEXTS = { __proto__: null }, PLACES = {}, CODES = {};
const [names, ...languages] = TABLE.split("\n").map((line) => line.split("|"));
names.forEach((name, at) => {
	const [key, place = "form", ...codes] = name.split(" ");
	TEXTS[key] = languages.map((texts) => texts[at]);
	PLACES[key] = place;
	for (const code of codes) CODES[code] = key;
});

// What a page must not hide is !important: in a shadow root that beats the page's own rules.
const CSS = `
:host{display:block;max-width:27em;overflow:visible!important;clip-path:none!important}
:host([hidden]),[hidden],p:empty,img:not([hidden])+b{display:none!important}
form{all:initial;color-scheme:inherit;display:grid;gap:1em;font:inherit;
font-family:var(--font);font-size:max(1em,14px);line-height:1.4;overflow-wrap:anywhere;padding:1.2em;
border:1px solid color-mix(in srgb,var(--ink) 16%,var(--ground));
border-radius:var(--round);background:var(--ground);color:var(--ink);
--font:var(--payme-font,system-ui,sans-serif);--round:var(--payme-radius,12px);
--fill:var(--payme-accent,#00c0c9);--on:var(--payme-accent-text,#00292c);
--ground:var(--payme-surface,Canvas);--ink:var(--payme-text,CanvasText);
--muted:color-mix(in srgb,var(--ink) 66%,var(--ground));
--ring:color-mix(in srgb,var(--fill) 60%,var(--ink));
--bad:var(--payme-error,color-mix(in srgb,#e5262b 74%,var(--ink)))}
div,p{display:grid;margin:0;gap:.4em;position:relative}
label{font-weight:500;font-size:.9em}
input{box-sizing:border-box;width:100%;height:3em;padding:0 .9em;border:1px solid var(--muted);
border-radius:var(--round);color:inherit;background:var(--ground);font:inherit;
font-size:max(16px,1em)}
#expiry,#code{width:10em}
::placeholder{color:var(--muted);opacity:1}
:focus-visible{outline:2px solid var(--ring)}
[aria-invalid=true]{border-color:var(--bad)}
:autofill{-webkit-text-fill-color:var(--ink);box-shadow:inset 0 0 0 9em var(--ground)}
#brand{position:absolute;right:1em;top:2.9em;font-size:.9em;color:var(--muted)}
[part=error]{color:var(--bad);font-size:.9em;min-height:1.4em}
#check,#row{display:flex;flex-wrap:wrap;gap:.3em .7em;align-items:center}
#save{width:1.25em;height:1.25em;margin:0;accent-color:var(--fill)}
button{font:inherit;font-weight:600;cursor:pointer;border:1px solid transparent;
border-radius:var(--round);min-height:3.1em;background:var(--fill);color:var(--on)}
:disabled,[aria-disabled=true]{opacity:.7}
#row button{padding:0;min-height:2em;background:0;color:var(--ring);font-size:.9em}
#t-done{font-weight:600}
#live{position:absolute;overflow:hidden;clip-path:inset(50%)}
#logo{font-size:22px;line-height:28px;justify-items:start}
img{height:28px}
#notice,#notice *{all:initial!important;color-scheme:inherit!important;
font:13px/1.5 var(--font)!important;color:var(--muted)!important;
overflow-wrap:anywhere!important}
#notice,#notice b{display:block!important}
#notice a{text-decoration:underline!important;cursor:pointer!important}
#notice a:focus-visible{outline:2px solid!important}`;

const make = (name, attributes, ...children) => {
	const [tag, id, part] = name.split(/[#.]/), element = document.createElement(tag);
	for (const [at, value] of Object.entries({ id, part, ...attributes }))
		if (value != null) element.setAttribute(at, value);
	element.append(...children);
	return element;
};

// The same text is not put twice, for the sake of those who hear it read out.
const put = (element, text) => {
	if (element.textContent !== text) element.textContent = text;
};

const digits = (text) => text.replace(/\D/g, "");

const luhn = (number) =>
	[...number].reverse().reduce((sum, d, at) => sum + +(at % 2 ? "0246813579"[d] : d), 0) % 10 === 0;

// Reads MMYY, MM/YY, MM/YYYY and YYYY-MM; gives MMYY.
const expiry = (text) => {
	const [, a, b] = /^(\d{4}(?=\D)|\d\d?)\D*(\d{4}|\d\d?)$/.exec(text.trim()) ?? [];
	const [month, year] = a > 999 ? [b, a] : [a, b];
	return b && month < 100 && year[1] ? month.padStart(2, "0") + year.slice(-2) : "";
};

// What a refusal means. -31301 says only in the text of its message which of three things it is.
const keyOf = ({ code, message }, method) =>
	RULES.split("\n").map((rule) => rule.split(" ")).find(([, number, said]) =>
		number == code && RegExp(said, "i").test(method + JSON.stringify(message)))?.[0] ?? CODES[code] ?? "unknown";

// Build the form in its element; gives what the element offers.
const attach = (host) => {
	const ui = {}, root = host.attachShadow({ mode: "open" });
	let state = "card"; // the lock, too: nothing begins but in `card` and `code`
	let errors = {}, messages = {};
	let told = "", phone = ""; // what became of the SMS
	let typed = "", warned = ""; // digits of the number, and what was warned of
	let token = "", hand = null; // a hand is a token on its way to the shop
	let run = 0; // what an earlier run hears is dropped
	let wait = 0, resendAt = 0, timer;

	const given = (name) => host.getAttribute(name) ?? "";
	const length = () => +(/^[4-9]$/.exec(given("code-length")) ?? 6);
	const emit = (type, detail, bubbles = true) =>
		host.dispatchEvent(new CustomEvent(type, { detail, bubbles }));
	const focus = (options) => ui[ui.codes.hidden ? "number" : "code"].focus(options);

	// A page's own text may hold the one it replaces, as in `{done} 🎉`; what names nothing stays.
	const text = (key, own = messages) => {
		const language = Math.max(LANGUAGES.findIndex((one) => host.matches(`:lang(${one})`)), 0);
		const values = { __proto__: null, phone, length: length() };
		ui.form.lang = LANGUAGES[language];
		return (String(own?.[key] ?? "").trim() || TEXTS[key][language])
			.replace(/{(\w+)}/g, (all, name) =>
				values[name] ?? (TEXTS[name] ? text(name, { ...own, [key]: "" }) : all));
	};

	const paint = () => {
		const first = state === "card" || state === "creating", done = state === "done";
		const busy = !hand?.failed && !done && state !== "card" && state !== "code";
		const left = Math.ceil((resendAt - Date.now()) / 1000), save = given("save");
		ui.cards.hidden = !first;
		ui.codes.hidden = first || done;
		ui["t-done"].hidden = !done;
		ui.submit.hidden = done;
		ui.check.hidden = save === "never";
		for (const id in ui) if (id.startsWith("t-")) put(ui[id], text(id.slice(2)));
		put(ui.told, told && text(told));
		put(ui.resend, text("resend") +
			(left > 0 ? ` (${new Date(left * 1000).toISOString().slice(15, 19)})` : ""));
		ui.resend.disabled = left > 0 || state !== "code";
		ui["t-other"].disabled = state !== "code";
		ui.save.disabled = busy || save === "always";
		if (save === "always") ui.save.checked = true;
		put(ui.submit, text(hand?.failed ? "retry" : busy ? "wait" : "submit"));
		ui.submit.setAttribute("aria-disabled", busy);
		put(ui.brand, /^(8600|5614)/.test(typed) ? "Uzcard" : /^9860/.test(typed) ? "Humo" : "");
		for (const at of [...FIELDS, "form"]) {
			const { key, code } = errors[at] ?? {};
			put(ui[at + "-error"], key ? text(key) + (key === "unknown" ? ` (${code})` : "") : "");
			ui[at].readOnly = busy;
			if (at !== "form") ui[at].setAttribute("aria-invalid", !!key);
		}
	};

	// Go to a state, with errors by field, and there to the first field that has one.
	const go = (next, found = {}) => {
		const step = state, first = FIELDS.find((at) => found[at]), held = root.activeElement;
		state = next;
		errors = found;
		paint();
		// What is hidden loses the focus, and with it the place of whoever uses the keyboard.
		if (held && !held.offsetWidth) ui[state === "done" ? "t-done" : "submit"].focus();
		put(ui.live, ui["form-error"].textContent ||
			({ card: "", code: told && text(told), done: text("done") }[state] ?? text("wait")));
		if (state !== step) emit("payme-state", { state });
		if (first) ui[first].focus();
		for (const field in found) {
			const { key, code: paymeCode = null } = found[field];
			emit("payme-error", { key, paymeCode, field, step });
		}
	};

	const refused = (next, error) => {
		const place = PLACES[error.key];
		if (place === "number" || error.key === "token_gone") next = "card";
		if (next === "card" && token) forget(); // without one, what was typed may be corrected
		go(next, { [next === "card" && place === "code" ? "form" : place]: error });
	};

	const empty = () => (typed = warned = ui.number.value = ui.expiry.value = "");

	// Begin a new run. Neither card nor code stays here longer than it is needed.
	const forget = () => {
		run++;
		hand = null;
		resendAt = 0;
		token = told = phone = ui.code.value = empty();
	};

	const reset = () => {
		ui.save.checked = false;
		forget();
		go("card");
	};

	// Where a card may go. A setting that could lead it or a key astray stops the form.
	const target = () => {
		const logo = given("logo-src") || LOGO, cashbox = given("cashbox");
		const named = given("endpoint") || "live", address = API[named] ?? named;
		if (ui.image.getAttribute("src") !== logo) {
			ui.image.src = logo;
			ui.image.hidden = false;
		}
		let right = false;
		try {
			const { protocol, hostname, origin } = new URL(address);
			right = /^[!-9;-~]+$/.test(cashbox) && origin !== location.origin &&
				/^(https:|http:(localhost|127\.[\d.]+|\[::1\])$)/.test(protocol + hostname);
		} catch {}
		if (!right) {
			console.error("payme-card-form: bad cashbox or endpoint");
			errors = { form: { key: "shop_setup", here: true } };
		} else if (errors.form?.here) errors = {};
		paint();
		return right && { address, cashbox };
	};

	// Look for what is wrong with fields; gives how many have an error.
	const check = (found, ...fields) => {
		for (const at of fields) {
			const { value } = ui[at], count = digits(value).length, date = expiry(value);
			const key = at === "number" ? (count < 16 || count > 18) && "number_incomplete"
				: at === "code" ? count !== length() && "code_incomplete"
				: !date ? "expiry_incomplete" : !/^(0[1-9]|1[012])/.test(date) && "expiry_month";
			if (key) found[at] = { key };
		}
		return Object.keys(found).length;
	};

	const slash = () => {
		const date = expiry(ui.expiry.value);
		if (date) ui.expiry.value = date.slice(0, 2) + "/" + date.slice(2);
	};

	const changed = ({ target: input, inputType = "" }) => {
		const { id, value, selectionStart } = input;
		delete errors[id];
		if (id === "number") {
			let all = digits(value), before = digits(value.slice(0, selectionStart)).length;
			// Only a space was deleted: the digit beside it is meant.
			if (all === typed && inputType.startsWith("deleteContent")) {
				before -= inputType.endsWith("Backward");
				all = all.slice(0, before) + all.slice(before + 1);
			}
			typed = all;
			const grouped = all.replace(/\d{4}(?=\d)/g, "$& ");
			if (grouped !== value) {
				input.value = grouped;
				const caret = before + Math.floor(Math.max(before - 1, 0) / 4);
				if (input.matches(":focus")) input.setSelectionRange(caret, caret);
			}
		} else if (id === "code") {
			const runs = (value.match(/\d(?:[ -]?\d)*/g) ?? []).map(digits);
			const code = runs.find((one) => one.length === length()) ?? runs.join("");
			if (code !== value) input.value = code;
		} else if (id === "expiry") {
			if (!/^(insertText|delete)/.test(inputType)) slash();
			else if (inputType[0] === "i" && /^(0\d|1[012])\d$/.test(value))
				input.value = value.slice(0, 2) + "/" + value[2];
		}
		paint();
	};

	// Call Payme. Gives null to a run that is over, else { value }, or { key, code }; `lost` when
	// nobody refused: Payme may have done it.
	const call = async (next, method, params, read) => {
		const mine = run, id = Date.now();
		let key = "offline", code, value, lost;
		go(next);
		if (mine !== run) return; // whoever was told has reset the form
		if (navigator.onLine !== false) {
			key = "unreachable";
			lost = true;
			try {
				// A wrong setting throws here. X-Auth alone, and no Content-Type: the smallest preflight.
				const { address, cashbox } = target() || null;
				const response = await fetch(address, {
					method: "POST", headers: { "X-Auth": cashbox },
					body: JSON.stringify({ id, method, params }),
					signal: AbortSignal.timeout(TIMEOUT), redirect: "error",
					credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store" });
				const body = await response.text();
				key = "bad_answer";
				const { error, result, id: echoed = id } = JSON.parse(body);
				if (response.status === 200 && echoed === id) {
					if (error) [key, code, lost] = [keyOf(error, method), error.code];
					else value = read(result);
				}
			} catch (error) {
				if (error.name === "TimeoutError") key = "timeout";
			}
		}
		return mine === run ? { key, code, value, lost } : null;
	};

	const bind = async () => {
		const found = {}, number = digits(ui.number.value), expire = expiry(ui.expiry.value);
		if (!target()) return;
		if (!check(found, "number", "expiry") && warned !== number + expire) {
			warned = number + expire;
			const now = new Date().toISOString().replace("-", "").slice(2, 6);
			if (!luhn(number)) found.number = { key: "number_suspect" };
			if (expire.slice(2) + expire.slice(0, 2) < now) found.expiry = { key: "expiry_past" };
		}
		if (check(found)) return go("card", found);
		const params = { card: { number, expire }, save: ui.save.checked && !ui.check.hidden };
		const create = () => call("creating", "cards.create", params,
			({ card }) => card.token);
		let answer = await create();
		// Lost: once more. A token that nobody knows does no harm.
		if (answer?.lost && !answer.value) answer = await create();
		if (!answer?.value) return answer && refused("card", answer);
		token = answer.value;
		empty();
		send();
	};

	// Never repeated by itself: it costs an SMS.
	const send = async () => {
		const answer = await call("sending", "cards.get_verify_code", { token },
			(result) => result);
		if (!answer) return;
		const { value, lost, key } = answer;
		if (value ? !value.sent : !lost && key !== "offline")
			return refused(told ? "code" : "card", value ? { key: "sms_failed" } : answer);
		// After a lost answer the SMS may be on its way.
		told = value ? "sent" : "maybe";
		phone = value?.phone ?? "";
		wait = lost ? Math.min(Math.max(value?.wait || 60_000, 10_000), 300_000) : 0;
		resendAt = Date.now() + wait;
		tick();
		go("code", value ? {} : { form: answer });
		if (value) emit("payme-code-sent", { phone, resendAt });
		focus();
	};

	// Never repeated by itself: it costs an attempt.
	const verify = async () => {
		const found = {}, code = digits(ui.code.value);
		if (check(found, "code")) return go("code", found);
		const answer = await call("verifying", "cards.verify", { token, code },
			({ card }) => card.verify === true);
		if (!answer) return;
		// After a lost answer, and after -32400, the card may be verified: the shop's server asks.
		if (answer.lost || answer.code === -32400) offer(!!answer.value);
		else refused("code", answer), ui.code.select();
	};

	// Hand the token over. It is the shop's once a listener's promise is kept.
	const offer = (certain) => {
		const mine = (hand = { certain, waits: true });
		const fail = () => {
			if (hand !== mine) return;
			hand.failed = true;
			go("saving", { form: { key: "not_saved" } });
		};
		const waitUntil = (promise) => {
			mine.waits = false;
			Promise.resolve(promise).then((said) => {
				if (hand !== mine || mine.failed) return;
				if (said === "unverified") {
					hand = null;
					go("code", { form: { key: "not_verified" } });
					focus();
				} else forget(), go("done");
			}, fail);
		};
		setTimeout(() => mine.waits && fail(), TIMEOUT);
		go("saving");
		emit("payme-card", { token, certain, waitUntil }, false);
	};

	const tick = () => {
		clearTimeout(timer);
		// A clock that was put back must not make the wait longer.
		resendAt = Math.min(resendAt, Date.now() + wait);
		paint();
		if (host.isConnected && resendAt > Date.now()) timer = setTimeout(tick, 1000);
	};

	// Nothing has a name or an action: whatever breaks, no card gets into an address.
	const field = (id, autocomplete, placeholder = "") => make("div", { part: "field" },
		make("label#t-" + id, { for: id }),
		make(`input#${id}.input`, { autocomplete, placeholder, inputmode: "numeric",
			class: MASKS.join(" "), "data-dd-privacy": "mask", "aria-required": true,
			"aria-describedby": id + "-error" }),
		make(`span#${id}-error.error`));
	root.append(make("form#form", { novalidate: "", method: "dialog" },
		make("div#logo", {}, make("img#image", { alt: "Payme" }), make("b", {}, "Payme")),
		make("div#cards", {}, field("number", "cc-number", "0000 0000 0000 0000"),
			field("expiry", "cc-exp", "MM/YY"), // browsers go by this hint: not translated
			make("label#check", {}, make("input#save", { type: "checkbox" }), make("span#t-save"))),
		make("div#codes", {}, make("p#told"), field("code", "one-time-code"),
			make("div#row", {}, make("button#resend.button", { type: "button" }),
				make("button#t-other.button", { type: "button" }))),
		make("p#t-done", { tabindex: -1 }),
		make("p#form-error.error"),
		make("button#submit.button", { "aria-describedby": "form-error" }),
		make("p#notice.notice", {}, make("span#t-notice"), " ",
			make("a#t-offer", { href: OFFER, target: "_blank" }),
			make("b", {}, "Powered by Payme")),
		make("span#live", { role: "status" })));
	for (const element of root.querySelectorAll("[id]")) ui[element.id] = element;
	ui.number.after((ui.brand = make("span#brand")));
	try {
		const sheet = new CSSStyleSheet();
		sheet.replaceSync(CSS);
		root.adoptedStyleSheets = [sheet];
	} catch {
		root.append(make("style", {}, CSS)); // Safari before 16.4
	}
	ui.form.onsubmit = (event) => {
		event.preventDefault();
		if (hand?.failed) offer(hand.certain);
		else if (state === "card") bind();
		else if (state === "code") verify();
	};
	ui.form.oninput = (event) => event.isComposing || changed(event);
	ui.form.addEventListener("focusout", ({ target: { id, value }, relatedTarget }) => {
		if (id === "expiry") slash();
		// A text that appears under the pointer would move the button away from it.
		if (!FIELDS.includes(id) || !value || relatedTarget === ui.submit) return;
		check(errors, id);
		paint();
	});
	ui.resend.onclick = () => state === "code" && send();
	ui["t-other"].onclick = () => {
		if (state === "code") forget(), go("card"), focus();
	};
	ui.image.onerror = () => (ui.image.hidden = true);

	return {
		reset, focus,
		state: () => state,
		say: (texts) => ((messages = texts), paint()),
		connected: () => (target(), tick()),
		// A token belongs to its cash-box.
		set: (name) => (/cashbox|endpoint/.test(name) && state !== "card" && reset(), target()),
		// A token that nobody has taken waits for a listener that comes late.
		heard: () => hand?.waits && offer(hand.certain),
	};
};

// On a server there are no elements, and the module does nothing.
class PaymeCardForm extends (globalThis.HTMLElement ?? class {}) {
	static observedAttributes = ["cashbox", "endpoint", "lang", "save", "logo-src", "code-length"];
	#form = attach(this);

	constructor() {
		super();
		const { messages } = this; // a framework may have set it before this script was there
		delete this.messages;
		this.messages = messages;
	}

	connectedCallback() {
		this.classList.add(...MASKS);
		this.dataset.ddPrivacy = "mask";
		this.#form.connected();
	}

	attributeChangedCallback(name, before, after) {
		if (this.isConnected && before !== after) this.#form.set(name);
	}

	addEventListener(type, ...rest) {
		super.addEventListener(type, ...rest);
		if (type === "payme-card") queueMicrotask(this.#form.heard);
	}

	get state() {
		return this.#form.state();
	}

	set messages(texts) {
		this.#form.say(texts);
	}

	reset() {
		this.#form.reset();
	}

	focus(options) {
		this.#form.focus(options);
	}
}

if (globalThis.customElements && !customElements.get("payme-card-form"))
	customElements.define("payme-card-form", PaymeCardForm);
