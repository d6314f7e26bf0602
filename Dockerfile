# syntax=docker/dockerfile:1

# Workers, codec server and command line.
FROM node:20.20.2-bookworm-slim AS holdfast
ENV NODE_ENV=production
WORKDIR /holdfast
# Temporal's client and git hosts over TLS are judged by the system's certificates, which a slim image doesn't have.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund
COPY . .
# Workers keep the bundle of their workflows in the second.
RUN install -d -o node -g node /var/lib/holdfast node_modules/.cache/holdfast
# By number, so that Kubernetes sees that it is not root.
USER 1000:1000
ENTRYPOINT ["/holdfast/deploy/entrypoint.sh", "node", "/holdfast/bin/holdfast.mjs"]
CMD ["worker"]
EXPOSE 8080 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HOLDFAST_HEALTH_PORT}/health`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]

# The local E2B-compatible sandbox server: for trying things out, not for strangers' code.
FROM holdfast AS sandboxes
# It makes namespaces; sandboxes themselves run as others.
# hadolint ignore=DL3002
USER 0:0
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends bubblewrap curl git iproute2 python3 util-linux xfsprogs \
  && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["/holdfast/deploy/entrypoint.sh", "node", "/holdfast/bin/run.mjs", "src/local-sandbox/main.ts"]
CMD ["--host", "0.0.0.0", "--port", "3000"]
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:3000/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
