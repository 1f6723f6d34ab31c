# The daemon alone: PostgreSQL and Redis are given by DATABASE_URL and REDIS_URL.

FROM node:20-bookworm-slim AS build
WORKDIR /build
COPY . .
RUN npm ci --ignore-scripts --no-audit --no-fund && npm pack --pack-destination /

FROM node:20-bookworm-slim AS install
WORKDIR /app
COPY --from=build /beacon-ingest-*.tgz /
# The optional packages are installed too: archives in S3, traces, queries over archives, further exchanges. The embedded PostgreSQL is not needed.
RUN npm init --yes >/dev/null \
  && npm install --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund /beacon-ingest-*.tgz \
  && npm install --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
    $(node -p "const { peerDependencies } = require('beacon-ingest/package.json'); Object.entries(peerDependencies).map((peer) => peer.join('@')).join(' ')")

FROM node:20-bookworm-slim
ENV NODE_ENV=production BEACON_DATA_DIR=/data
WORKDIR /app
COPY --from=install /app ./
# Root owns all of it but /data: the daemon reads its code, and writes to its database and there.
RUN mkdir /data && chown node:node /data
USER node
EXPOSE 3000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.BEACON_HTTP_PORT || 3000}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Without a shell in between, so that SIGTERM reaches the daemon and it can finish its jobs.
ENTRYPOINT ["node", "node_modules/beacon-ingest/dist/beacon.js"]
CMD ["start"]
