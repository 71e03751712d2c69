// What makes the page nicer; it works without.
const forms = document.querySelectorAll("form[data-busy]");

// A second click does nothing while the first one is on its way (the server would charge once all the same).
for (const form of forms) {
  form.addEventListener("submit", (event) => {
    if (form.getAttribute("aria-busy") === "true") {
      event.preventDefault();
      return;
    }
    form.setAttribute("aria-busy", "true");
    const button = event.submitter;
    if (button === null) return;
    button.dataset.label = button.textContent;
    button.textContent = form.dataset.busy;
  });
}

// The browser may bring the page back from memory as it was left.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of forms) form.removeAttribute("aria-busy");
  for (const button of document.querySelectorAll("button[data-label]"))
    button.textContent = button.dataset.label;
});

const number = document.querySelector("#number");
const expiry = document.querySelector("#expiry");

/** Formats while the caret stands at the end; elsewhere the buyer corrects something and is left alone. */
function formatted(input, format) {
  input?.addEventListener("input", (event) => {
    if (event.inputType?.startsWith("delete") || input.selectionEnd !== input.value.length) return;
    input.value = format(input.value);
  });
}

function grouped(text) {
  const digits = text.replaceAll(/\D/g, "");
  const groups = /^3[47]/.test(digits)
    ? /^(\d{0,4})(\d{0,6})(\d{0,5})/
    : /^(\d{0,4})(\d{0,4})(\d{0,4})(\d{0,7})/;
  return digits.replace(groups, (_, ...parts) =>
    parts
      .slice(0, -2)
      .filter((part) => part !== "")
      .join(" "),
  );
}

function monthAndYear(text) {
  const digits = text.replaceAll(/\D/g, "").replace(/^([2-9])/, "0$1");
  return digits.length < 2 ? digits : `${digits.slice(0, 2)} / ${digits.slice(2, 6)}`;
}

formatted(number, grouped);
formatted(expiry, monthAndYear);

for (const item of document.querySelectorAll("[data-number]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = item.dataset.number;
  button.addEventListener("click", () => {
    number.value = item.dataset.number;
    expiry.value = "12 / 34";
    document.querySelector("#cvc").value = "123";
    const name = document.querySelector("#name");
    if (name.value === "") name.value = "Test Buyer";
    document.querySelector("button.pay").focus();
  });
  item.querySelector("code").replaceWith(button);
}
