// SPDX-License-Identifier: Apache-2.0
// A list of files that are chosen, dropped, or here already; each is uploaded and looked at.

import { sha256Of, upload } from "/static/server.js";

export class FileList {
  constructor(id, folder, { isSingle, most, changed }) {
    this.folder = folder;
    this.isSingle = isSingle;
    this.most = most;
    this.changed = changed;
    this.entries = [];
    this.list = document.getElementById(`${id}-list`);
    this.error = document.getElementById(`${id}-error`);
    this.input = document.getElementById(`${id}-file`);
    this.input.addEventListener("change", () => this.takeChosen());
    this.accept(document.querySelector(`[data-zone="${id}"]`));
    // By a button: with the keyboard a list changes its value on the way to what is wanted.
    this.known = document.querySelector(`[data-known="${id}"]`);
    document.getElementById(`${id}-use`)?.addEventListener("click", () => this.takeKnown());
  }

  // Takes what was chosen before this script was there, or was restored by the browser.
  begin() {
    this.takeChosen();
  }

  get ready() {
    return this.entries.filter((entry) => entry.state === "ready");
  }

  get isBusy() {
    return this.entries.some((entry) => entry.state === "busy");
  }

  get wrong() {
    return this.entries.some((entry) => entry.state === "wrong") ? "remove the file that is not valid" : "";
  }

  explain(text) {
    this.error.textContent = text;
    this.input.setAttribute("aria-invalid", String(Boolean(text)));
  }

  accept(zone) {
    const over = (event) => {
      event.preventDefault();
      zone.classList.add("is-over");
    };
    zone.addEventListener("dragenter", over);
    zone.addEventListener("dragover", over);
    zone.addEventListener("dragleave", () => zone.classList.remove("is-over"));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      zone.classList.remove("is-over");
      this.take(event.dataTransfer.files);
    });
  }

  take(files) {
    // A copy: the list of an input empties with it.
    const chosen = Array.from(files).slice(0, this.isSingle ? 1 : undefined);
    for (const file of chosen) this.send(file);
  }

  takeChosen() {
    this.take(this.input.files);
    this.input.value = "";
  }

  takeKnown() {
    const option = this.known.selectedOptions[0];
    this.known.value = "";
    if (!option?.value || this.entries.some((entry) => entry.sha256 === option.value)) return;
    const told = { sha256: option.value, summary: JSON.parse(option.dataset.summary) };
    this.finish(this.enter(option.textContent.trim(), () => {}), told);
    this.changed();
  }

  async send(file) {
    let stop = () => {};
    const entry = this.enter(file.name, () => stop());
    this.changed();
    try {
      if (file.size > this.most) throw new Error("the file is larger than this server takes");
      entry.note.textContent = "hashing…";
      const sha256 = await sha256Of(file);
      const { sent, stop: abort } = upload(this.folder, file, sha256, (share) => {
        entry.bar.value = share;
        entry.note.textContent = share < 1 ? `uploading, ${Math.round(share * 100)} %` : "being looked at…";
      });
      stop = abort;
      const told = await sent;
      const twin = this.entries.find((other) => other !== entry && other.sha256 === told.sha256);
      if (twin) this.leave(entry);
      else this.finish(entry, told);
    } catch (problem) {
      this.settle(entry, "wrong", problem.message);
    }
    this.changed();
  }

  enter(name, stop) {
    if (this.isSingle) for (const entry of [...this.entries]) this.leave(entry);
    const item = document.getElementById("file-template").content.cloneNode(true).firstElementChild;
    const entry = {
      name,
      item,
      stop,
      state: "busy",
      sha256: null,
      summary: {},
      note: item.querySelector(".file-note"),
      bar: item.querySelector("progress"),
    };
    item.querySelector(".file-name").textContent = name;
    item.dataset.state = "busy";
    entry.bar.setAttribute("aria-label", `Upload of ${name}`);
    const button = item.querySelector("button");
    button.setAttribute("aria-label", `Remove ${name}`);
    button.addEventListener("click", () => {
      this.leave(entry);
      this.input.focus();
      this.changed();
    });
    this.entries.push(entry);
    this.list.append(item);
    return entry;
  }

  finish(entry, told) {
    entry.sha256 = told.sha256;
    entry.summary = told.summary;
    this.settle(entry, "ready", described(this.folder, told.summary));
  }

  settle(entry, state, text) {
    entry.state = state;
    entry.item.dataset.state = state;
    entry.note.textContent = text;
  }

  leave(entry) {
    entry.stop();
    entry.item.remove();
    this.entries = this.entries.filter((other) => other !== entry);
  }
}

function described(folder, told) {
  const sides = `${told.inputs} inputs, ${told.outputs} outputs`;
  if (folder === "models") return `${sides}, ${told.neurons} neurons`;
  return `${sides}, ${told.cases} case${told.cases === 1 ? "" : "s"}`;
}
