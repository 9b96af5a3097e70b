// Somebody waits to be admitted to a lab: every few seconds it is asked whether they are, and then the page is read again.

const EVERY = 4000; // ms; who has not asked for a minute may lose their place

async function look() {
  try {
    const answer = await fetch("/api/v1/me", { headers: { Accept: "application/json" } });
    // 401: they were turned away. Reading the page again leads to the entrance then.
    if (answer.status === 401 || (answer.ok && !(await answer.json()).waiting)) {
      location.reload();
      return;
    }
  } catch {
    // The server is not there for now; it is asked again.
  }
  later();
}

/** Not all at the same moment, however many wait. */
function later() {
  setTimeout(look, EVERY + Math.random() * 1000);
}

later();
