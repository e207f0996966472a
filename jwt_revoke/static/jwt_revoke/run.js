// Takes the steps of a run one after the other, within the page: focus stays where it is, so that
// "Stop" can be reached by the keyboard. Without it each step waits for the person.
"use strict";

{
  const form = document.getElementById("jwt-revoke-run");
  const button = form.querySelector("[type=submit]");
  let timer;
  let leaving = new AbortController();

  const show = (goesOn) => {
    button.disabled = goesOn;
    document.getElementById("jwt-revoke-by-hand").hidden = goesOn;
    document.getElementById("jwt-revoke-by-itself").hidden = !goesOn;
  };

  const goOn = (pause) => {
    show(Boolean(pause));
    if (pause) timer = setTimeout(step, Number(pause));
  };

  const nextStep = async (signal) => {
    const answer = await fetch(location.href, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      redirect: "manual",
      signal,
    });
    // Done, or logged out meanwhile: where that leads has a message for the person, not for us.
    if (answer.type === "opaqueredirect") return "left";
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return page.getElementById("jwt-revoke-run");
  };

  const step = async () => {
    const { signal } = leaving;
    const next = await nextStep(signal).catch(() => null);
    if (signal.aborted) return;
    if (next === "left") {
      location.assign(form.querySelector("a").href);
    } else if (next) {
      document.getElementById("jwt-revoke-step").replaceWith(next.querySelector("#jwt-revoke-step"));
      goOn(next.dataset.pause);
    } else {
      // Whatever else was answered is for the person to see; the step is harmless to repeat.
      form.submit();
    }
  };

  // Whoever comes back to the page by the browser's button has stopped the run.
  addEventListener("pagehide", () => {
    clearTimeout(timer);
    leaving.abort();
    leaving = new AbortController();
    show(false);
  });

  goOn(form.dataset.pause);
}
