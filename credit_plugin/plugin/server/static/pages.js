// Filters a table while somebody types; without this script the form around the field does it.
"use strict";
for (const field of document.querySelectorAll("input[data-filters]")) {
  const table = document.getElementById(field.dataset.filters);
  field.addEventListener("input", () => {
    const wanted = field.value.toLocaleLowerCase();
    for (const row of table.tBodies[0].rows) {
      row.hidden = !row.cells[0].textContent.toLocaleLowerCase().includes(wanted);
    }
  });
}
const refusal = document.getElementById("refusal");
if (refusal) refusal.focus();
if (location.hash) {
  const offer = document.querySelector(`details${CSS.escape ? "#" + CSS.escape(location.hash.slice(1)) : location.hash}`);
  if (offer) offer.open = true;
}
// One submission for each form: a second click would be refused, and confuse.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", () => {
    for (const button of form.querySelectorAll("button")) setTimeout(() => (button.disabled = true));
  });
}
