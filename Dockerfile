# One Holdfast node. Build: docker build -t holdfast .   Run: see docker-compose.yml.

# By version and digest: a tag that is moved changes nothing here.
FROM node:24.19.0-bookworm-slim@sha256:a9f5f7c91a432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No package of this project needs its install script: native parts come as packages of their own.
RUN npm ci --include=dev --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY config ./config
COPY streams ./streams
COPY actors ./actors
COPY dashboards ./dashboards
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24.19.0-bookworm-slim@sha256:a9f5f7c91a432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df
ENV NODE_ENV=production \
    NODE_OPTIONS=--enable-source-maps \
    HOLDFAST_HTTP=0.0.0.0:8080
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/config ./config
COPY bin ./bin
# What is in the image, and under which licences; those of the page are in dist/web/assets/licenses.txt.
COPY LICENSE sbom.cdx.json ./
# The image's own unprivileged user. Nothing under /app is writable by it, and nothing needs to be.
USER node
EXPOSE 8080
STOPSIGNAL SIGTERM
# /healthz says that the process lives. Readiness (/readyz) is the load balancer's business: a node that waits for its
# partitions must not be restarted for it.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/holdfast.js"]
CMD ["node"]
