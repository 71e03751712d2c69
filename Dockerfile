# One image for every role: `serve` (the default), `work`, `migrate`, `verify`, `keys`, `dead-letters`.
# Pinned to the version that package.json has for development.
FROM node:24.21.0-slim

ENV NODE_ENV=production
WORKDIR /app

# The database is elsewhere, so the embedded one (an optional package) stays out, and nothing is left that needs an
# install script.
COPY package.json package-lock.json .npmrc ./
COPY simulator/package.json simulator/
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force

COPY migrations migrations
COPY src src

USER node
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000
ENTRYPOINT ["node", "--max-semi-space-size=128", "src/main.ts"]
CMD ["serve"]
