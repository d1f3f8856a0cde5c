// A Kubernetes cluster as a hierarchy: a cluster is made of a network, a control plane and pools, a pool of nodes. Created, scaled, upgraded node
// by node, repaired and deleted: a parent says who its children are, commands them and follows their states; nobody undoes anything.
import { activity, command, contract, event, machine, service } from 'pawl'
import * as z from 'zod'

// ── node: a machine of the cloud that joins the cluster ─────────────────────────────────────────────────────────

const OfNode = z.object({ node: z.string() })
const byNode = (of: { node: string }) => of.node
export const NodeJoined = event('node.joined', { data: OfNode.extend({ version: z.string() }), key: byNode })
export const NodeLost = event('node.lost', { data: OfNode.extend({ reason: z.string() }), key: byNode })
export const UpgradeNode = command('node.upgrade', {
  data: OfNode.extend({ version: z.string() }),
  to: 'node',
  key: byNode,
})
export const RepairNode = command('node.repair', { data: OfNode, to: 'node', key: byNode })
export const DeleteNode = command('node.delete', { data: OfNode, to: 'node', key: byNode })

const Size = z.enum(['s', 'm', 'l'])
export const createVm = activity('compute.create-vm', {
  input: z.object({ name: z.string(), size: Size, image: z.string() }),
  output: z.object({ vmId: z.string() }),
  failures: ['QuotaExceeded', 'NoCapacity'],
  retry: { within: '10 minutes' },
  run: ({ name, size }, { fail }) =>
    size === 'l' ? fail('NoCapacity', 'no large machines today') : { vmId: `vm-${name}` },
})
export const deleteVm = activity('compute.delete-vm', {
  input: z.object({ vmId: z.string() }),
  output: z.object({}),
  run: () => ({}),
})
export const drain = activity('kube.drain', {
  input: z.object({ node: z.string(), grace: z.number().default(30) }),
  output: z.object({ evicted: z.number() }),
  failures: ['PodDisruptionBudget'],
  timeout: '10 minutes',
  heartbeat: '30 seconds',
  run: () => ({ evicted: 7 }),
})

const Node = z.object({
  size: Size,
  version: z.string(),
  vmId: z.string().optional(),
  repairs: z.number().default(0),
  doomed: z.boolean().default(false),
  reason: z.string().optional(),
})
export const node = machine('node', {
  data: Node,
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
    // node.delete waits here until there is a machine that can be deleted.
    creating: {
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
        // A node that was repaired on the way has this version already: it is not drained for it again.
        'node.upgrade': {
          if: ({ data, message }) => data.version !== message.version,
          to: 'draining',
          set: { version: ({ message }) => message.version },
        },
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

// ── pool: nodes of one size and one version ─────────────────────────────────────────────────────────────────────

const OfPool = z.object({ pool: z.string() })
const byPool = (of: { pool: string }) => of.pool
export const ScalePool = command('pool.scale', { data: OfPool.extend({ size: z.number() }), to: 'pool', key: byPool })
export const UpgradePool = command('pool.upgrade', {
  data: OfPool.extend({ version: z.string() }),
  to: 'pool',
  key: byPool,
})
export const DeletePool = command('pool.delete', { data: OfPool, to: 'pool', key: byPool })
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
    // A node that is gone gets a new life.
    growing: { until: { nodes: { all: 'ready', any: { broken: 'degraded', gone: 'growing' } } }, done: 'rolling' },
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
    // One at a time. The node may be `ready` with the old version when we come, hence the `if`.
    upgrading: {
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

// ── network: another service; clusters know only its contract ───────────────────────────────────────────────────

const OfNetwork = z.object({ network: z.string() })
const byNetwork = (of: { network: string }) => of.network
export const DeleteNetwork = command('network.delete', { data: OfNetwork, to: 'network', key: byNetwork })
const Network = z.object({ cidr: z.string(), networkId: z.string().optional() })
export const networkContract = contract('network', {
  data: Network,
  states: ['creating', 'up', 'failed', 'deleting', 'gone'],
  finals: ['gone'],
  receives: [DeleteNetwork],
})
export const createNetwork = activity('net.create', {
  input: z.object({ cidr: z.string() }),
  output: z.object({ networkId: z.string() }),
  failures: ['CidrTaken'],
  run: ({ cidr }) => ({ networkId: `net-${cidr}` }),
})
export const deleteNetwork = activity('net.delete', {
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

// ── plane, and cluster: all of it ───────────────────────────────────────────────────────────────────────────────

export const installPlane = activity('plane.install', {
  input: z.object({ networkId: z.string(), version: z.string() }),
  output: z.object({ endpoint: z.string() }),
  run: ({ networkId }) => ({ endpoint: `https://${networkId}` }),
})
const OfPlane = z.object({ plane: z.string() })
const byPlane = (of: { plane: string }) => of.plane
export const UpgradePlane = command('plane.upgrade', {
  data: OfPlane.extend({ version: z.string() }),
  to: 'plane',
  key: byPlane,
})
export const DeletePlane = command('plane.delete', { data: OfPlane, to: 'plane', key: byPlane })
const Plane = z.object({ networkId: z.string(), version: z.string(), endpoint: z.string().optional() })
export const plane = machine('plane', {
  data: Plane,
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

const OfCluster = z.object({ cluster: z.string() })
const byCluster = (of: { cluster: string }) => of.cluster
export const DeleteCluster = command('cluster.delete', { data: OfCluster, to: 'cluster', key: byCluster })
/** Starts pools again that are gone. */
export const RepairCluster = command('cluster.repair', { data: OfCluster, to: 'cluster', key: byCluster })

const Cluster = z.object({
  cidr: z.string(),
  version: z.string(),
  pools: z.array(z.object({ name: z.string(), size: Size, count: z.number() })),
  networkId: z.string().optional(),
  endpoint: z.string().optional(),
})
export const cluster = machine('cluster', {
  data: Cluster,
  receives: [RepairCluster, DeleteCluster],
  emits: [DeletePool, DeletePlane, DeleteNetwork],
  children: {
    network: { of: networkContract, each: ({ id, data }) => [{ id: `${id}/net`, data: { cidr: data.cidr } }] },
    // None before there is a network: a cluster may be deleted before that.
    plane: {
      of: plane,
      each: ({ id, data: { networkId, version } }) =>
        networkId === undefined ? [] : [{ id: `${id}/plane`, data: { networkId, version } }],
    },
    pools: {
      of: pool,
      each: ({ id, data }) =>
        data.pools.map((p) => ({
          id: `${id}/${p.name}`,
          data: { size: p.size, version: data.version, nodes: names(`${id}/${p.name}`, p.count) },
        })),
      restart: true,
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
    ready: { until: { pools: { any: { degraded: 'degraded', gone: 'degraded' } } } },
    // What broke, somebody mends; then we go on by ourselves. What is gone is started again when it is said.
    degraded: {
      until: { pools: { all: 'ready', any: { gone: {} }, spawn: false } },
      done: 'ready',
      on: { 'cluster.repair': 'pooling' },
    },
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

/** Four services: each could be deployed alone. */
export const services = [
  service('compute', { machines: [node] }),
  service('pools', { machines: [pool] }),
  service('net', { machines: [network] }),
  service('clusters', { machines: [plane, cluster] }),
]
