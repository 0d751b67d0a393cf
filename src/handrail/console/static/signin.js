// Passkeys: ask the browser, send what it answers. Everything else of sign-in works without JavaScript.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function send(path, form, fields) {
  const body = new URLSearchParams({ csrf: form.elements.csrf.value, ...fields });
  const answer = await fetch(path, { method: "POST", body, headers: { accept: "application/json" } });
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value;
}

function told(options) {
  options.challenge = bytes(options.challenge);
  for (const list of [options.allowCredentials, options.excludeCredentials]) {
    for (const each of list ?? []) each.id = bytes(each.id);
  }
  if (options.user) options.user.id = bytes(options.user.id);
  return options;
}

function written(credential) {
  const { response } = credential;
  const out = { clientDataJSON: text(response.clientDataJSON) };
  if (response.attestationObject) {
    out.attestationObject = text(response.attestationObject);
  } else {
    out.authenticatorData = text(response.authenticatorData);
    out.signature = text(response.signature);
    out.userHandle = response.userHandle ? text(response.userHandle) : null;
  }
  const { id, type } = credential;
  return JSON.stringify({ id, rawId: text(credential.rawId), type, response: out, clientExtensionResults: {} });
}

async function work(form) {
  const { passkey, to = "/", then = "" } = form.dataset;
  const adding = passkey === "add";
  const base = adding ? "/account/passkeys" : "/sign-in/passkey";
  const { ref, options } = await send(`${base}/ask`, form, {});
  const publicKey = told(options);
  const made = adding
    ? await navigator.credentials.create({ publicKey })
    : await navigator.credentials.get({ publicKey });
  const name = adding ? form.elements.name.value : "";
  const use = passkey === "again" ? "again" : "";
  const done = await send(base, form, { ref, credential: written(made), name, next: to, then, use });
  location.assign(done.to);
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const button = form.querySelector("[data-passkey-button]");
  const say = form.querySelector("[data-passkey-told]");
  if (window.PublicKeyCredential) button.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say.hidden = true;
    button.disabled = true;
    try {
      await work(form);
    } catch (problem) {
      say.textContent = problem.message;
      say.hidden = false;
    }
    button.disabled = false;
  });
}
