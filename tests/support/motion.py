"""The frame map in motion: a scripted zoom and pan, and how long each picture of it took."""

from collections.abc import Sequence

from playwright.sync_api import Locator

SCRIPT = """canvas => new Promise(done => {
  const times = [];
  const keys = ['+', '+', 'PageDown', 'PageUp', '+', '-', '-', 'PageDown', '-', '-', 'PageUp', '+'];
  const wheel = (deltaY, ctrlKey) => canvas.dispatchEvent(new WheelEvent('wheel',
    { deltaY, ctrlKey, bubbles: true, cancelable: true, clientX: 600, clientY: 400 }));
  canvas.focus();
  let last = performance.now(), step = 0;
  const tick = now => {
    times.push(now - last);
    last = now;
    if (step % 14 === 0) {
      const key = keys[step / 14];
      if (key === undefined) return done(times.slice(1));
      canvas.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    } else if (step % 14 > 10) wheel(40, false);
    step++;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
})"""


def frame_times(canvas: Locator) -> Sequence[float]:
    """Milliseconds from each picture to the next, the shortest first."""
    return sorted(canvas.evaluate(SCRIPT))
