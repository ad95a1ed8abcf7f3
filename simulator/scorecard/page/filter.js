"use strict";
(() => {
  const form = document.getElementById("filter");
  const lines = [...document.querySelectorAll("tbody tr")];
  const cases = [...document.querySelectorAll("details.case")];
  const groups = [...document.querySelectorAll("section.group")];
  const none = document.getElementById("none");
  const bad = /[FBHXM]/;

  const fits = (element, flasher, verdict) =>
    (!flasher || element.dataset.f === flasher) &&
    (!verdict || (verdict === "bad" ? bad.test(element.dataset.v) : element.dataset.v.includes(verdict)));

  const apply = () => {
    const flasher = form.elements.flasher.value;
    const verdict = form.elements.verdict.value;
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const says = (element) => words.every((word) => element.dataset.text.includes(word));
    let shown = 0;
    for (const item of cases) {
      item.hidden = !(fits(item, flasher, verdict) && says(item));
      shown += !item.hidden;
    }
    for (const group of groups) group.hidden = !group.querySelector("details.case:not([hidden])");
    const described = new Set(cases.filter((item) => !item.hidden).map((item) => item.querySelector(".body").id));
    for (const line of lines) {
      let any = false;
      for (const cell of line.cells) {
        if (!cell.dataset.f) continue;
        const found = fits(cell, flasher, verdict);
        const linked = [...cell.querySelectorAll("a")].some((link) => described.has(link.hash.slice(1)));
        cell.classList.toggle("off", !found);
        any ||= found && (says(line) || linked);
      }
      line.hidden = !any;
    }
    none.hidden = shown > 0 || cases.length === 0;
    form.elements.found.value = `${shown} of ${cases.length} cases`;
  };

  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();

  // What a link points at must not stay hidden behind the filter or in a closed section.
  const reveal = () => {
    const body = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const item = body?.closest("details.case");
    if (!item) return;
    if (item.hidden) {
      form.reset();
      apply();
    }
    item.open = true;
    item.scrollIntoView({ block: "start" });
  };
  addEventListener("hashchange", reveal);
  reveal();

  if (navigator.clipboard) {
    for (const place of document.querySelectorAll("dd.repeat")) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(place.querySelector("code").textContent);
        button.textContent = "Copied";
        setTimeout(() => (button.textContent = "Copy"), 1500);
      });
      place.append(button);
    }
  }
})();
