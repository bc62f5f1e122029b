import { ROUTE_MESSAGES } from './error-status.ts';
import { invalid, readId } from './request-input.ts';
import * as requests from './request-schemas.ts';
import type { Route } from './route.ts';
import { defineRoute } from './route.ts';

/** What a person accepts of what a configuration can do to the host. */
export const TRUST_ROUTES: readonly Route[] = [
  defineRoute('post', '/devcontainers/:id/trust', 'trust', {
    summary: 'Accept what its configuration can do to the host, as long as it stays the same',
    body: requests.trustBody,
    answers: { 204: { description: 'Accepted' } },
    errors: [404, 409],
    async run({ api }, { req, res, body }) {
      await api.trust(readId(req.params, 'id'), body.hash);
      res.writeHead(204).end();
    },
  }),
  defineRoute('delete', '/devcontainers/:id/trust', 'revokeTrust', {
    summary: 'Take that back; with a hash, in the body or the query, only if it is the one that was accepted',
    query: requests.revokeTrustQuery,
    body: requests.revokeTrustBody,
    answers: { 204: { description: 'Not accepted any more' } },
    errors: [404, 409],
    messages: ROUTE_MESSAGES.revokeTrust,
    async run({ api }, { req, res, query, body }) {
      const id = readId(req.params, 'id');
      const hash = body.hash ?? query.hash;
      if (query.hash !== undefined && query.hash !== hash) {
        throw invalid([{ field: 'hash', detail: 'Is another one in the body than in the query.' }]);
      }
      await api.revokeTrust(id, hash);
      res.writeHead(204).end();
    },
  }),
];
