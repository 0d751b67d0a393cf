// Checks a proof of the ledger here, from the bytes of the proof file alone: c2sp.org/tlog-proof, RFC 6962, signed notes.
// Nothing the server says of a proof is believed. Copying a draft is here too. Nothing here makes HTML from text.
"use strict";
{
  const text = (bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const hexOf = (bytes) => [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
  const joined = (...parts) => {
    const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) { out.set(part, at); at += part.length; }
    return out;
  };
  const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
  const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);
  const need = (holds, why) => { if (!holds) throw new Error(why); };

  // the leaf's way to the root; which side each sibling stands on follows from index and size alone
  async function rootOf(leaf, index, size, path) {
    let start = 0n, end = size;
    const right = [];
    while (end - start > 1n) {
      let split = 1n;
      while (split * 2n < end - start) split *= 2n;
      const middle = start + split;
      right.push(index < middle);
      if (index < middle) end = middle; else start = middle;
    }
    need(path.length === right.length, "the proof has another length than its place in the tree asks for");
    let hash = leaf;
    for (const [at, sibling] of path.entries()) {
      const siblingIsRight = right[right.length - 1 - at];
      hash = siblingIsRight ? await sha256([1], hash, sibling) : await sha256([1], sibling, hash);
    }
    return hash;
  }

  // true: signed by one of the keys. false: by none, or a signature in the name of one does not fit. null: this browser
  // cannot tell
  async function signed(note, signatures, keys) {
    let good = false;
    for (const key of keys) {
      const at = key.indexOf("+");
      const next = key.indexOf("+", at + 1);
      const name = key.slice(0, at), id = key.slice(at + 1, next), material = bytesOf(key.slice(next + 1));
      if (material[0] !== 1) continue;
      for (const line of signatures) {
        const [, who, value] = line.match(/^\u2014 (\S+) (\S+)$/) || [];
        const raw = who === name ? bytesOf(value) : new Uint8Array();
        if (raw.length !== 68 || hexOf(raw.slice(0, 4)) !== id) continue;
        try {
          const known = await crypto.subtle.importKey("raw", material.slice(1), { name: "Ed25519" }, false, ["verify"]);
          if (!await crypto.subtle.verify({ name: "Ed25519" }, known, raw.slice(4), new TextEncoder().encode(note))) return false;
          good = true;
        } catch (error) {
          if (error.name === "NotSupportedError") return null;
          return false;
        }
      }
    }
    return good;
  }

  // the id in a commitment (handrail.ledger.commitment): after the fixed part and what its flags announce
  function named(commitment) {
    need(commitment.length >= 45 && commitment[0] === 1 && commitment[1] < 8, "a commitment of another form");
    const at = 42 + (commitment[1] & 1 ? 40 : 0) + (commitment[1] & 2 ? 32 : 0) + (commitment[1] & 4 ? 32 : 0);
    return text(commitment.slice(at + 1, at + 1 + commitment[at]));
  }

  // Throws for anything that does not prove exactly this entry.
  async function check(file, entry, keys) {
    const whole = text(file);
    const gap = whole.indexOf("\n\n");
    need(gap > 0, "no proof");
    const lines = whole.slice(0, gap).split("\n");
    const checkpoint = whole.slice(gap + 2);
    need(lines.shift() === "c2sp.org/tlog-proof@v1", "no proof of a log");
    need(lines[0]?.startsWith("extra "), "no entry in it");
    const extra = JSON.parse(text(bytesOf(lines.shift().slice(6))));
    const number = lines.shift()?.match(/^index (0|[1-9][0-9]{0,18})$/);
    need(number, "no place");
    const index = BigInt(number[1]);
    const path = lines.map(bytesOf);
    need(path.every((one) => one.length === 32), "a hash of another length");
    const cut = checkpoint.lastIndexOf("\n\n");
    need(cut > 0, "no signed head");
    const note = checkpoint.slice(0, cut + 1);
    const [origin, size, root] = note.split("\n");
    need(keys.some((key) => key.startsWith(`${origin}+`)), "another log");
    need(/^[1-9][0-9]{0,18}$/.test(size) && index < BigInt(size), "a place outside of the tree");
    const commitment = bytesOf(extra.commitment);
    const leaf = await sha256([0], commitment);
    need(same(await rootOf(leaf, index, BigInt(size), path), bytesOf(root)), "another root");
    const facts = new TextEncoder().encode(extra.facts);
    need(same(await sha256(facts), commitment.slice(10, 42)), "other facts than the log committed to");
    need(JSON.parse(extra.facts).id === entry && named(commitment) === entry, "another entry");
    const sure = await signed(note, checkpoint.slice(cut + 2).split("\n").filter(Boolean), keys);
    need(sure !== false, "no signature of this log");
    return { sure, leaf: hexOf(leaf), head: `${size} · ${hexOf(bytesOf(root))}`, facts: JSON.parse(extra.facts) };
  }

  async function prove(panel) {
    const at = (name) => panel.querySelector(`[data-proof-${name}]`);
    const said = at("said"), state = at("state");
    const show = (tone, word, sentence) => {
      state.className = `badge ${tone}`;
      state.querySelector("use").setAttribute("href", { allow: "#i-check", hold: "#i-info", deny: "#i-x" }[tone] || "#i-dot");
      state.lastElementChild.textContent = word;
      said.textContent = sentence;
      panel.dataset.proven = tone;
    };
    const nothing = (sentence) => show("", panel.dataset.not, sentence);
    at("leaf").textContent = at("head").textContent = "–"; // what was found before is not what is found now
    at("facts").textContent = "";
    nothing(said.dataset.saidWait);
    if (!globalThis.crypto?.subtle) { nothing(said.dataset.saidUnable); return; }
    let file;
    try {
      const answer = await fetch(panel.dataset.proof, { credentials: "same-origin", redirect: "error" });
      if (!answer.ok) { nothing(answer.status === 404 ? said.dataset.saidNone : said.dataset.saidLost); return; }
      file = new Uint8Array(await answer.arrayBuffer());
    } catch { nothing(said.dataset.saidLost); return; }
    try {
      const found = await check(file, panel.dataset.entry, panel.dataset.logKeys.split(" ").filter(Boolean));
      const shown = document.querySelector("[data-facts-shown]");
      if (shown && JSON.stringify(JSON.parse(shown.textContent)) !== JSON.stringify(found.facts)) {
        show("deny", panel.dataset.bad, said.dataset.saidOther);
        return;
      }
      at("leaf").textContent = found.leaf;
      at("head").textContent = found.head;
      at("facts").textContent = JSON.stringify(found.facts, null, 2);
      if (found.sure) show("allow", panel.dataset.good, said.dataset.saidGood);
      else show("hold", panel.dataset.part, said.dataset.saidPart);
    } catch { show("deny", panel.dataset.bad, said.dataset.saidBad); }
  }

  for (const panel of document.querySelectorAll("[data-proof]")) prove(panel);
  document.addEventListener("click", async (event) => {
    const again = event.target.closest("[data-proof-check]");
    if (again) prove(again.closest("[data-proof]"));
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const from = document.getElementById(copy.dataset.copy);
      try { await navigator.clipboard.writeText(from.value); } catch { from.select(); return; }
      copy.lastChild.textContent = copy.dataset.copied;
    }
  });
}
