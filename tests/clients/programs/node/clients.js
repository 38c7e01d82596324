// One function for each client: it writes the marker and reads it again, and rejects with what the client reports.
'use strict';

const assert = require('assert');
const { entry, MARKER } = require('./binding');

const parts = () => ({ host: entry('host'), port: Number(entry('port')), password: entry('password'), db: Number(entry('database')), tls: {} });

// The options of a client's own retries: a refusal is reported, not repeated.
const once = { retryStrategy: () => null, maxRetriesPerRequest: 0 };

// An emitter reports the cause as an event; the pending command only says that the connection was closed.
const failing = (emitter) => new Promise((_, reject) => emitter.on('error', reject));

async function commands(client) {
  await client.set('orders', MARKER);
  assert.strictEqual(String(await client.get('orders')), MARKER);
}

async function withIoredis(Redis, ...options) {
  const client = new Redis(...options);
  await Promise.race([commands(client), failing(client)]);
  client.disconnect();
}

async function nodeRedis() {
  const client = require('redis').createClient({ url: entry('uri'), socket: { reconnectStrategy: false } });
  client.on('error', () => {}); // connect() rejects with the same
  await client.connect();
  return client;
}

exports.ioredis = () => withIoredis(require('ioredis').Redis, entry('uri'), once);

exports.ioredis_parts = () => withIoredis(require('ioredis').Redis, { ...parts(), ...once });

exports.iovalkey = () => withIoredis(require('iovalkey'), entry('uri'), once);

exports.node_redis = async () => {
  const client = await nodeRedis();
  await commands(client);
  client.destroy();
};

exports.connect_redis = async () => {
  const { RedisStore } = require('connect-redis');
  const client = await nodeRedis();
  const store = new RedisStore({ client });
  await store.set('orders', { cookie: {}, marker: MARKER });
  assert.strictEqual((await store.get('orders')).marker, MARKER);
  client.destroy();
};

exports.rate_limit_redis = async () => {
  const { RedisStore } = require('rate-limit-redis');
  const client = await nodeRedis();
  const store = new RedisStore({ sendCommand: (...args) => client.sendCommand(args) });
  store.init({ windowMs: 60_000 });
  assert.strictEqual((await store.increment(MARKER)).totalHits, 1);
  client.destroy();
};

exports.rate_limiter_flexible = async () => {
  const { Redis } = require('ioredis');
  const { RateLimiterRedis } = require('rate-limiter-flexible');
  const client = new Redis(entry('uri'), once);
  const use = async () => {
    const limiter = new RateLimiterRedis({ storeClient: client, points: 1, duration: 60 });
    await limiter.consume(MARKER);
    await assert.rejects(Promise.resolve(limiter.consume(MARKER)).then(() => {}, (refused) => { throw new Error(refused.msBeforeNext); }));
  };
  await Promise.race([use(), failing(client)]);
  client.disconnect();
};

exports.keyv = async () => {
  const KeyvRedis = require('@keyv/redis').default;
  const Keyv = require('keyv').default;
  const store = new KeyvRedis({ url: entry('uri'), socket: { reconnectStrategy: false } }, { throwOnConnectError: true, throwOnErrors: true });
  const cache = new Keyv({ store, throwOnErrors: true });
  await Promise.race([
    (async () => {
      await cache.set('orders', MARKER);
      assert.strictEqual(await cache.get('orders'), MARKER);
    })(),
    failing(store),
  ]);
  await cache.disconnect();
};

exports.catbox = async () => {
  const { Engine } = require('@hapi/catbox-redis');
  const cache = new Engine({ ...parts(), partition: 'orders' });
  await cache.start();
  const key = { segment: 'all', id: 'orders' };
  await cache.set(key, MARKER, 60_000);
  assert.strictEqual((await cache.get(key)).item, MARKER);
  await cache.stop();
};

exports.bullmq = async () => {
  const { Queue } = require('bullmq');
  const { Redis } = require('ioredis');
  const connection = new Redis(entry('uri'), { ...once, maxRetriesPerRequest: null });
  const queue = new Queue('orders', { connection });
  const use = async () => {
    const job = await queue.add('echo', { marker: MARKER });
    assert.strictEqual((await queue.getJob(job.id)).data.marker, MARKER);
  };
  await Promise.race([use(), failing(connection), failing(queue)]);
  await queue.close();
  connection.disconnect();
};

async function withBull(...options) {
  const Queue = require('bull');
  const queue = new Queue('orders', ...options);
  const use = async () => {
    const job = await queue.add({ marker: MARKER });
    assert.strictEqual((await queue.getJob(job.id)).data.marker, MARKER);
  };
  await Promise.race([use(), failing(queue)]);
  await queue.close();
}

exports.bull_parts = () => withBull({ redis: { ...parts(), retryStrategy: () => null } });

exports.bull = () => withBull(entry('bull'), { redis: { retryStrategy: () => null } });

exports.bee_queue = async () => {
  const Queue = require('bee-queue');
  const queue = new Queue('orders', { redis: { ...parts(), retry_strategy: () => undefined }, isWorker: false, getEvents: false });
  const use = async () => {
    await queue.ready();
    const job = await queue.createJob({ marker: MARKER }).save();
    assert.strictEqual((await queue.getJob(job.id)).data.marker, MARKER);
  };
  await Promise.race([use(), failing(queue)]);
  await queue.close();
};

exports.node_resque = async () => {
  const { Queue } = require('node-resque');
  const { Redis } = require('ioredis');
  const redis = new Redis(entry('uri'), once);
  const queue = new Queue({ connection: { redis } });
  const use = async () => {
    await queue.connect();
    await queue.enqueue('orders', 'echo', [MARKER]);
    assert.deepStrictEqual((await queue.queued('orders', 0, -1)).map((job) => job.args), [[MARKER]]);
  };
  await Promise.race([use(), failing(redis), failing(queue)]);
  redis.disconnect();
};
