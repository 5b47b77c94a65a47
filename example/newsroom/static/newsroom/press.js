// Says that an upload is on its way. Without this script the forms work all the same.
const forms = document.querySelectorAll("form[data-upload]");

function show(form, uploading) {
  form.setAttribute("aria-busy", String(uploading));
  form.querySelector("button[type=submit]").disabled = uploading;
  form.querySelector(".progress").hidden = !uploading;
}

for (const form of forms) {
  form.addEventListener("submit", () => show(form, true));
}
// The back button brings the page back as it was left, busy.
window.addEventListener("pageshow", () => forms.forEach((form) => show(form, false)));
