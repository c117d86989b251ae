// SPDX-License-Identifier: Apache-2.0
// Methods of compression with their options, as many as are added.

export class Compressions {
  constructor(changed) {
    this.changed = changed;
    this.list = document.getElementById("compressions");
    this.select = document.getElementById("add-method");
    this.button = document.getElementById("add-compression");
    this.button.addEventListener("click", () => this.add(this.select.value));
    this.list.addEventListener("click", (event) => {
      const item = event.target.closest("[data-remove-compression]")?.closest(".compression");
      if (!item) return;
      item.remove();
      this.button.focus();
      this.changed();
    });
  }

  get count() {
    return this.list.childElementCount;
  }

  // Only options that differ from their defaults are sent.
  get chosen() {
    return Array.from(this.list.children, (item) => {
      const options = {};
      for (const field of item.querySelectorAll("[data-option]")) {
        const value = field.value.trim();
        if (value && value !== field.dataset.default) options[field.dataset.option] = value;
      }
      return { method: item.dataset.method, options };
    });
  }

  add(method) {
    const template = document.querySelector(`template[data-method="${CSS.escape(method)}"]`);
    const item = template.content.cloneNode(true).firstElementChild;
    this.list.append(item);
    item.querySelector("[data-option]")?.focus();
    this.changed();
  }
}
