// The server's side of the shared button: who may press, and whom that is told. An application of the mock server; one of
// worldshard does the same with its messages and requests.

/** @returns {import('../../test/mock-server.mjs').App & {holder: string | null}} */
export function buttonApp() {
  /** @param {import('../../test/mock-server.mjs').Session} session */
  const nameOf = ({ user, id }) => user ?? String(id);
  const app = {
    holder: /** @type {string | null} */ (null),
    /** @param {import('../../test/mock-server.mjs').Session} session */
    opened(session) {
      session.say({ type: 'button', holder: app.holder });
    },
    /** @type {NonNullable<import('../../test/mock-server.mjs').App['request']>} */
    request(session, { type }, answer) {
      const name = nameOf(session);
      if (type === 'press' && app.holder !== null && app.holder !== name) return answer.reject('NOT_ALLOWED', `${app.holder} holds it`);
      if (type === 'press') app.holder = name;
      else if (app.holder === name) app.holder = null;
      // All learn of it before the one who asked hears yes: then its own state is in what was told.
      session.server.say({ type: 'button', holder: app.holder });
      answer.ack();
    },
    /** @param {import('../../test/mock-server.mjs').Session} session */
    closed(session) {
      if (app.holder !== nameOf(session)) return;
      app.holder = null;
      session.server.say({ type: 'button', holder: null });
    },
  };
  return app;
}
