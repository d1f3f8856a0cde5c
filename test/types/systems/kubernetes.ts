// A Kubernetes cluster as a hierarchy: cluster, network, control plane, pools, nodes; create, scale, upgrade node by node, repair, delete.
// Shows: children as a function of the data (`restart`, `onCancel`), `until` with data of the children, fan-out of commands, groups, `cancel`,
// a contract for a machine of another service, choices by the data, `reaches`.
import * as z from 'zod'
import { event, command, activity, machine, contract, service, pawl } from './api.ts'

// ── compute ──
const NodeJoined = event('node.joined', {
  data: z.object({ node: z.string(), version: z.string() }),
  key: (d) => d.node,
})
const NodeLost = event('node.lost', { data: z.object({ node: z.string(), reason: z.string() }), key: (d) => d.node })
const UpgradeNode = command('node.upgrade', {
  data: z.object({ node: z.string(), version: z.string() }),
  to: 'node',
  key: (d) => d.node,
})
const RepairNode = command('node.repair', { data: z.object({ node: z.string() }), to: 'node', key: (d) => d.node })
const DeleteNode = command('node.delete', { data: z.object({ node: z.string() }), to: 'node', key: (d) => d.node })

const Size = z.enum(['s', 'm', 'l'])
const createVm = activity('compute.create-vm', {
  input: z.object({ name: z.string(), size: Size, image: z.string() }),
  output: z.object({ vmId: z.string() }),
  failures: ['QuotaExceeded', 'NoCapacity'],
  retry: { within: '10 minutes' },
  run: ({ name, size }, { fail }) =>
    size === 'l' ? fail('NoCapacity', 'no large machines today') : { vmId: `vm-${name}` },
})
const deleteVm = activity('compute.delete-vm', {
  input: z.object({ vmId: z.string() }),
  output: z.object({}),
  run: () => ({}),
})
const drain = activity('kube.drain', {
  input: z.object({ node: z.string(), grace: z.number().default(30) }),
  output: z.object({ evicted: z.number() }),
  failures: ['PodDisruptionBudget'],
  timeout: '10 minutes',
  heartbeat: '30 seconds',
  run: () => ({ evicted: 7 }),
})

export const node = machine('node', {
  data: z.object({
    size: Size,
    version: z.string(),
    vmId: z.string().optional(),
    repairs: z.number().default(0),
    doomed: z.boolean().default(false),
    reason: z.string().optional(),
  }),
  receives: [NodeJoined, NodeLost, UpgradeNode, RepairNode, DeleteNode],
  initial: 'creating',
  cancel: { to: 'removing', set: { doomed: true } },
  // Lost while it is being replaced anyhow: seen and dropped. Were it not named here, it would wait for the next `ready`.
  groups: {
    replacing: {
      states: ['creating', 'joining', 'draining', 'blocked', 'removingVm', 'broken'],
      on: { 'node.lost': {} },
    },
  },
  states: {
    creating: {
      // node.delete waits here until there is a machine that can be deleted
      call: createVm,
      input: ({ id, data }) => ({ name: id, size: data.size, image: `k8s-${data.version}` }),
      done: { to: 'joining', set: ({ result }) => ({ vmId: result.vmId }) },
      fail: {
        QuotaExceeded: { to: 'broken', set: { reason: ({ error }) => error.code } },
        NoCapacity: { to: 'broken', set: { reason: ({ error }) => error.message } },
      },
    },
    joining: {
      on: { 'node.joined': { if: ({ data, message }) => message.version === data.version, to: 'ready' } },
      after: { '10 minutes': { to: 'broken', set: { reason: 'did not join' } } },
    },
    ready: {
      on: {
        'node.lost': { to: 'broken', set: { reason: ({ message }) => message.reason } },
        'node.upgrade': { to: 'draining', set: { version: ({ message }) => message.version } },
        'node.delete': { to: 'draining', set: { doomed: true } },
      },
    },
    draining: {
      call: drain,
      input: ({ id }) => ({ node: id }),
      done: 'removing',
      fail: { PodDisruptionBudget: 'blocked', other: 'removing' },
    },
    blocked: { after: { '1 minute': 'draining' } },
    removing: {
      always: [
        { if: ({ data }) => data.vmId !== undefined, to: 'removingVm' },
        { if: ({ data }) => data.doomed, to: 'gone' },
        { to: 'creating' },
      ],
    },
    removingVm: {
      call: deleteVm,
      input: ({ need }) => ({ vmId: need('vmId') }),
      done: { to: 'removing', set: { vmId: undefined } },
    },
    broken: {
      on: {
        'node.repair': { to: 'removing', set: { repairs: ({ data }) => data.repairs + 1 } },
        'node.delete': { to: 'removing', set: { doomed: true } },
      },
    },
    gone: { final: 'done' },
  },
})

// ── pools ──
const ScalePool = command('pool.scale', {
  data: z.object({ pool: z.string(), size: z.number() }),
  to: 'pool',
  key: (d) => d.pool,
})
const UpgradePool = command('pool.upgrade', {
  data: z.object({ pool: z.string(), version: z.string() }),
  to: 'pool',
  key: (d) => d.pool,
})
const DeletePool = command('pool.delete', { data: z.object({ pool: z.string() }), to: 'pool', key: (d) => d.pool })
const names = (id: string, n: number) => Array.from({ length: n }, (_, i) => `${id}/n${i}`)

const Pool = z.object({
  size: Size,
  version: z.string(),
  nodes: z.array(z.string()),
  leaving: z.array(z.string()).default([]),
  queue: z.array(z.string()).default([]),
})
export const pool = machine('pool', {
  data: Pool,
  receives: [ScalePool, UpgradePool, DeletePool],
  emits: [UpgradeNode, DeleteNode],
  children: {
    nodes: {
      of: node,
      each: ({ data }) => data.nodes.map((id) => ({ id, data: { size: data.size, version: data.version } })),
      restart: true,
      onCancel: 'cancel',
    },
    leaving: {
      of: node,
      each: ({ data }) => data.leaving.map((id) => ({ id, data: { size: data.size, version: data.version } })),
    },
    current: {
      of: node,
      each: ({ data }) =>
        data.queue.slice(0, 1).map((id) => ({ id, data: { size: data.size, version: data.version } })),
    },
  },
  initial: 'growing',
  groups: {
    alive: {
      states: ['growing', 'ready', 'degraded', 'upgrading'],
      on: { 'pool.delete': { to: 'shrinking', set: { nodes: [], leaving: ({ data }) => data.nodes, queue: [] } } },
    },
  },
  states: {
    growing: { until: { nodes: { all: 'ready', any: { broken: 'degraded', gone: 'growing' } } }, done: 'rolling' }, // a node that is gone gets a new life
    ready: {
      until: { nodes: { any: { broken: 'degraded', gone: 'growing' } } },
      on: {
        'pool.scale': [
          {
            if: ({ data, message }) => message.size > data.nodes.length,
            to: 'growing',
            set: { nodes: ({ id, message }) => names(id, message.size) },
          },
          {
            if: ({ data, message }) => message.size < data.nodes.length,
            to: 'shrinking',
            set: ({ data, message }) => ({
              nodes: data.nodes.slice(0, message.size),
              leaving: data.nodes.slice(message.size),
            }),
          },
        ],
        'pool.upgrade': {
          to: 'rolling',
          set: { version: ({ message }) => message.version, queue: ({ data }) => data.nodes },
        },
      },
    },
    // A node broke. An operator repairs it, and the pool goes on where it was by its data.
    degraded: { until: { nodes: { all: 'ready', any: { gone: 'growing' } } }, done: 'rolling' },
    rolling: { always: [{ if: ({ data }) => data.queue.length > 0, to: 'upgrading' }, { to: 'ready' }] },
    upgrading: {
      // one at a time; the node may be `ready` with the old version when we come, hence the `if`
      emit: { 'node.upgrade': ({ data }) => data.queue.slice(0, 1).map((node) => ({ node, version: data.version })) },
      until: {
        current: {
          all: 'ready',
          if: ({ child, data }) => child.data.version === data.version,
          any: { broken: 'degraded', gone: 'growing' },
        },
      },
      done: { to: 'rolling', set: { queue: ({ data }) => data.queue.slice(1) } },
    },
    shrinking: {
      emit: { 'node.delete': ({ data }) => data.leaving.map((node) => ({ node })) },
      until: { leaving: { all: 'gone' } },
      done: [
        { if: ({ data }) => data.nodes.length === 0, to: 'gone' },
        { to: 'ready', set: { leaving: [] } },
      ],
    },
    gone: { final: 'done' },
  },
})

// ── network: another service; the cluster service knows only the contract ──
const DeleteNetwork = command('network.delete', {
  data: z.object({ network: z.string() }),
  to: 'network',
  key: (d) => d.network,
})
const Network = z.object({ cidr: z.string(), networkId: z.string().optional() })
export const networkContract = contract('network', {
  data: Network,
  states: ['creating', 'up', 'failed', 'deleting', 'gone'],
  finals: ['gone'],
  receives: [DeleteNetwork],
})
const createNetwork = activity('net.create', {
  input: z.object({ cidr: z.string() }),
  output: z.object({ networkId: z.string() }),
  failures: ['CidrTaken'],
  run: ({ cidr }) => ({ networkId: `net-${cidr}` }),
})
const deleteNetwork = activity('net.delete', {
  input: z.object({ networkId: z.string() }),
  output: z.object({}),
  run: () => ({}),
})
export const network = machine('network', {
  data: Network,
  receives: [DeleteNetwork],
  initial: 'creating',
  states: {
    creating: {
      call: createNetwork,
      input: ({ data }) => ({ cidr: data.cidr }),
      done: { to: 'up', set: ({ result }) => result },
      fail: { CidrTaken: 'failed' },
    },
    up: { on: { 'network.delete': 'deleting' } },
    deleting: { call: deleteNetwork, input: ({ need }) => ({ networkId: need('networkId') }), done: 'gone' },
    failed: { on: { 'network.delete': 'gone' } },
    gone: { final: 'done' },
  },
})

// ── clusters ──
const installPlane = activity('plane.install', {
  input: z.object({ networkId: z.string(), version: z.string() }),
  output: z.object({ endpoint: z.string() }),
  run: ({ networkId }) => ({ endpoint: `https://${networkId}` }),
})
const UpgradePlane = command('plane.upgrade', {
  data: z.object({ plane: z.string(), version: z.string() }),
  to: 'plane',
  key: (d) => d.plane,
})
const DeletePlane = command('plane.delete', { data: z.object({ plane: z.string() }), to: 'plane', key: (d) => d.plane })
export const plane = machine('plane', {
  data: z.object({ networkId: z.string(), version: z.string(), endpoint: z.string().optional() }),
  receives: [UpgradePlane, DeletePlane],
  initial: 'installing',
  states: {
    installing: {
      call: installPlane,
      input: ({ data }) => ({ networkId: data.networkId, version: data.version }),
      done: { to: 'up', set: ({ result }) => result },
    },
    up: {
      on: {
        'plane.upgrade': { to: 'installing', set: { version: ({ message }) => message.version } },
        'plane.delete': 'gone',
      },
    },
    gone: { final: 'done' },
  },
})

const DeleteCluster = command('cluster.delete', {
  data: z.object({ cluster: z.string() }),
  to: 'cluster',
  key: (d) => d.cluster,
})
const Cluster = z.object({
  cidr: z.string(),
  version: z.string(),
  pools: z.array(z.object({ name: z.string(), size: Size, count: z.number() })),
  networkId: z.string().optional(),
  endpoint: z.string().optional(),
})
export const cluster = machine('cluster', {
  data: Cluster,
  receives: [DeleteCluster],
  emits: [DeletePool, DeletePlane, DeleteNetwork],
  children: {
    network: { of: networkContract, each: ({ id, data }) => [{ id: `${id}/net`, data: { cidr: data.cidr } }] },
    plane: {
      of: plane,
      each: ({ id, data, need }) => [
        { id: `${id}/plane`, data: { networkId: need('networkId'), version: data.version } },
      ],
    },
    pools: {
      of: pool,
      each: ({ id, data }) =>
        data.pools.map((p) => ({
          id: `${id}/${p.name}`,
          data: { size: p.size, version: data.version, nodes: names(`${id}/${p.name}`, p.count) },
        })),
    },
  },
  initial: 'networking',
  cancel: 'deletingPools',
  groups: {
    alive: {
      states: ['networking', 'planing', 'pooling', 'ready', 'degraded'],
      on: { 'cluster.delete': 'deletingPools' },
    },
  },
  states: {
    networking: {
      until: { network: { all: 'up', any: { failed: 'deletingNetwork', gone: 'gone' } } },
      done: { to: 'planing', set: { networkId: ({ children }) => children.network[0]?.data.networkId } },
    },
    planing: {
      until: { plane: { all: 'up', any: { gone: 'deletingNetwork' } } },
      done: { to: 'pooling', set: { endpoint: ({ children }) => children.plane[0]?.data.endpoint } },
    },
    pooling: { until: { pools: { all: 'ready', any: { degraded: 'degraded', gone: 'degraded' } } }, done: 'ready' },
    ready: {
      until: {
        network: { any: { failed: 'degraded', gone: 'degraded' } },
        pools: { any: { degraded: 'degraded', gone: 'degraded' } },
      },
    },
    degraded: {
      until: { pools: { all: 'ready', any: { gone: {} } }, network: { all: 'up', any: { gone: {} } } },
      done: 'ready',
    }, // what is gone, an operator brings back
    // Whatever was begun is deleted; what never was is not started for it.
    deletingPools: {
      emit: { 'pool.delete': ({ children }) => children.pools.map((c) => ({ pool: c.id })) },
      until: { pools: { all: 'gone', spawn: false } },
      done: 'deletingPlane',
    },
    deletingPlane: {
      emit: { 'plane.delete': ({ children }) => children.plane.map((c) => ({ plane: c.id })) },
      until: { plane: { all: 'gone', spawn: false } },
      done: 'deletingNetwork',
    },
    deletingNetwork: {
      emit: { 'network.delete': ({ children }) => children.network.map((c) => ({ network: c.id })) },
      until: { network: { all: 'gone', spawn: false } },
      done: 'gone',
    },
    gone: { final: 'done' },
  },
})

export const app = pawl({
  store: 'postgres://localhost/clusters',
  services: [
    service('compute', { machines: [node] }),
    service('pools', { machines: [pool] }),
    service('net', { machines: [network] }),
    service('clusters', { machines: [plane, cluster] }),
  ],
})
export async function main() {
  const handle = await app.run(cluster, {
    id: 'c1',
    data: { cidr: '10.0.0.0/16', version: '1.33', pools: [{ name: 'a', size: 'm', count: 3 }] },
  })
  await handle.reaches('ready', { within: '30 minutes' })
  await app.send(pool, 'c1/a', ScalePool({ pool: 'c1/a', size: 5 }), { until: 'stored' })
  await app.get(pool, 'c1/a').reaches('ready', { within: '10 minutes' })
  for (const broken of (await app.list(node, { state: 'broken', limit: 100 })).items)
    await app.send(node, broken.id, RepairNode({ node: broken.id }), { by: 'night shift' })
  await handle.cancel({ why: 'the project is over', by: 'ann' })
}
