// A comparison may take some seconds: until its answer comes, the form that was sent says so and takes no second press.

for (const form of document.querySelectorAll("form[data-busy]")) {
  const button = form.querySelector("button");
  if (!(form instanceof HTMLFormElement) || !button) continue;
  const words = button.textContent;
  form.addEventListener("submit", (event) => {
    if (form.ariaBusy === "true") {
      event.preventDefault();
      return;
    }
    form.ariaBusy = "true";
    button.textContent = form.dataset.busy ?? words;
  });
  // Who comes back by the browser's own button finds the form as it was.
  addEventListener("pageshow", () => {
    form.ariaBusy = null;
    button.textContent = words;
  });
}
