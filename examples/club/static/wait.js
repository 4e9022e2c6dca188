// Looks what has become of a payment, and shows the page again when there is something to show:
// a page that loads itself every other second can't be read by everybody.
const waits = async () => {
  try {
    const answer = await fetch(location.pathname);
    return !answer.ok || (await answer.text()).includes('src="/wait.js"');
  } catch {
    return true; // the club is away for a moment
  }
};

const look = async () => {
  if (await waits()) setTimeout(look, 1500);
  else location.reload();
};

setTimeout(look, 1500);
