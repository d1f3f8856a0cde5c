import { describe, expect, test } from 'vitest'
import type { Machine, Snapshot } from 'pawl'
import { harness, late, refuses, type Harness } from 'pawl/testing'
import { drawingFaults } from '../../test/support/diagram.ts'
import { kubelets, type Kubelets } from './kubelet.ts'
import {
  cluster,
  createNetwork,
  createVm,
  DeleteCluster,
  DeleteNetwork,
  deleteNetwork,
  DeletePlane,
  DeletePool,
  deleteVm,
  drain,
  installPlane,
  network,
  node,
  NodeLost,
  plane,
  pool,
  RepairCluster,
  RepairNode,
  ScalePool,
  services,
  UpgradePlane,
  UpgradePool,
} from './kubernetes.ts'

const data = { cidr: '10.0.0.0/16', version: '1.33', pools: [{ name: 'a', size: 'm', count: 2 }] } as const
const clouds = new WeakMap<Harness, Kubelets>()

/** The services, on a cloud whose machines join. */
function make(): Harness {
  const t = harness({ services })
  clouds.set(t, kubelets(t.app))
  return t
}
/** Until nothing happens any more, on the machines neither. */
async function rest(t: Harness): Promise<void> {
  do await t.settle()
  while (await clouds.get(t)?.idle())
}
const look = async <M extends Machine>(t: Harness, of: M, id: string): Promise<Snapshot<M>> => {
  await rest(t)
  return t.app.get(of, id).state()
}
const path = async (t: Harness, of: Machine, id: string) => {
  await rest(t)
  return t.path(of, id)
}
const stateOf = async (t: Harness, of: Machine, id: string) => (await look(t, of, id)).state
const nodesIn = async (t: Harness, state: (typeof node)['~states']) => {
  await rest(t)
  return (await t.app.list(node, { state })).items.map(({ id }) => id).toSorted()
}

/** A cluster that is ready, of two nodes. */
async function ready(): Promise<Harness> {
  const t = make()
  await t.app.run(cluster, { id: 'c', data })
  expect(await stateOf(t, cluster, 'c')).toBe('ready')
  return t
}
const scale = (t: Harness, size: number) => t.app.send(pool, 'c/a', ScalePool({ pool: 'c/a', size }))
const upgrade = (t: Harness, version: string) => t.app.send(pool, 'c/a', UpgradePool({ pool: 'c/a', version }))
const lose = (t: Harness, id: string) => t.app.emit(NodeLost({ node: id, reason: 'no heartbeat' }))
const repair = (t: Harness, id: string) => t.app.send(node, id, RepairNode({ node: id }), { by: 'night shift' })
const remove = (t: Harness) => t.app.send(cluster, 'c', DeleteCluster({ cluster: 'c' }))

/** Everything that was made is gone: as many machines and networks were deleted as were made. */
async function expectNothingLeft(t: Harness): Promise<void> {
  await rest(t)
  expect(await look(t, cluster, 'c')).toMatchObject({ state: 'gone', status: 'done' })
  const { instances } = await t.app.counts()
  for (const of of ['cluster', 'network', 'plane', 'pool', 'node'])
    expect(instances[of] ?? { waiting: 0, running: 0, stalled: 0 }).toMatchObject({
      waiting: 0,
      running: 0,
      stalled: 0,
    })
  const done = (name: string) => t.calls().filter((call) => call.name === name && call.outcome === 'done').length
  expect(done('compute.delete-vm')).toBe(done('compute.create-vm'))
  expect(done('net.delete')).toBe(done('net.create'))
  await t.end()
}

test('the drawings in the README are those of the machines', () => {
  expect(drawingFaults(import.meta.dirname, [cluster, network, plane, pool, node])).toEqual([])
})

describe('a cluster', () => {
  test('is made from the network up, and is ready when all its nodes are', async () => {
    const t = await ready()
    expect(await path(t, cluster, 'c')).toEqual(['networking', 'planing', 'pooling', 'ready'])
    expect(await path(t, network, 'c/net')).toEqual(['creating', 'up'])
    expect(await path(t, plane, 'c/plane')).toEqual(['installing', 'up'])
    expect(await path(t, pool, 'c/a')).toEqual(['growing', 'rolling', 'ready'])
    expect(await path(t, node, 'c/a/n1')).toEqual(['creating', 'joining', 'ready'])
    expect(await look(t, cluster, 'c')).toMatchObject({
      data: { networkId: 'net-10.0.0.0/16', endpoint: 'https://net-10.0.0.0/16' },
    })
    expect(t.calls(createNetwork).map(({ input }) => input)).toEqual([{ cidr: '10.0.0.0/16' }])
    expect(t.calls(installPlane).map(({ input }) => input)).toEqual([{ networkId: 'net-10.0.0.0/16', version: '1.33' }])
    expect(t.calls(createVm).map(({ input }) => input)).toEqual([
      { name: 'c/a/n0', size: 'm', image: 'k8s-1.33' },
      { name: 'c/a/n1', size: 'm', image: 'k8s-1.33' },
    ])
    await t.end()
  })

  test('is deleted from the pools down', async () => {
    const t = await ready()
    await remove(t)
    expect(await path(t, cluster, 'c')).toEqual([
      'networking',
      'planing',
      'pooling',
      'ready',
      'deletingPools',
      'deletingPlane',
      'deletingNetwork',
      'gone',
    ])
    expect(await path(t, node, 'c/a/n0')).toEqual([
      'creating',
      'joining',
      'ready',
      'draining',
      'removing',
      'removingVm',
      'removing',
      'gone',
    ])
    expect(await path(t, pool, 'c/a')).toEqual(['growing', 'rolling', 'ready', 'shrinking', 'gone'])
    expect(t.calls(deleteNetwork).map(({ input }) => input)).toEqual([{ networkId: 'net-10.0.0.0/16' }])
    expect(t.calls(deleteVm).map(({ input }) => input.vmId)).toEqual(['vm-c/a/n0', 'vm-c/a/n1'])
    await expectNothingLeft(t)
  })

  test('is deleted by a cancel too', async () => {
    const t = await ready()
    await t.app.get(cluster, 'c').cancel({ why: 'the project is over', by: 'ann' })
    await expectNothingLeft(t)
  })

  test('whose network cannot be had ends, and leaves nothing', async () => {
    const t = make()
    t.fake(createNetwork, refuses('CidrTaken'))
    await t.app.run(cluster, { id: 'c', data })
    expect(await path(t, cluster, 'c')).toEqual(['networking', 'deletingNetwork', 'gone'])
    expect(await path(t, network, 'c/net')).toEqual(['creating', 'failed', 'gone'])
    expect(t.calls(deleteNetwork)).toEqual([])
    await expectNothingLeft(t)
  })

  test('whose network somebody deletes as it comes up ends too', async () => {
    const t = make()
    t.fake(createNetwork, late('5 seconds', { networkId: 'n' }))
    await t.app.run(cluster, { id: 'c', data })
    await t.settle()
    await t.app.send(network, 'c/net', DeleteNetwork({ network: 'c/net' }))
    await t.advance('5 seconds')
    expect(await path(t, network, 'c/net')).toEqual(['creating', 'up', 'deleting', 'gone'])
    expect(await path(t, cluster, 'c')).toEqual(['networking', 'gone'])
    await expectNothingLeft(t)
  })

  test('whose plane is deleted by hand goes down with it', async () => {
    const t = make()
    t.fake(installPlane, late('5 seconds', { endpoint: 'e' }))
    await t.app.run(cluster, { id: 'c', data })
    await t.settle()
    await t.app.send(plane, 'c/plane', DeletePlane({ plane: 'c/plane' }))
    await t.advance('5 seconds')
    expect(await path(t, plane, 'c/plane')).toEqual(['installing', 'up', 'gone'])
    expect(await path(t, cluster, 'c')).toEqual(['networking', 'planing', 'deletingNetwork', 'gone'])
    await expectNothingLeft(t)
  })

  describe('that is deleted while it is made leaves nothing', () => {
    test('while its network is made', async () => {
      const t = make()
      t.fake(createNetwork, late('5 seconds', { networkId: 'n' }))
      await t.app.run(cluster, { id: 'c', data })
      await t.settle()
      await remove(t)
      expect(await stateOf(t, cluster, 'c')).toBe('deletingNetwork')
      await t.advance('5 seconds')
      expect(t.calls(installPlane)).toEqual([])
      await expectNothingLeft(t)
    })

    test('while its plane is installed', async () => {
      const t = make()
      t.fake(installPlane, late('5 seconds', { endpoint: 'e' }))
      await t.app.run(cluster, { id: 'c', data })
      await t.settle()
      await remove(t)
      expect(await stateOf(t, cluster, 'c')).toBe('deletingPlane')
      await t.advance('5 seconds')
      expect(t.calls(createVm)).toEqual([])
      await expectNothingLeft(t)
    })

    test('while its machines are made: node.delete waits until there is one to delete', async () => {
      const t = make()
      t.fake(createVm, late('5 seconds', { vmId: 'v' }))
      await t.app.run(cluster, { id: 'c', data })
      await t.settle()
      await remove(t)
      expect(await stateOf(t, node, 'c/a/n0')).toBe('creating')
      await t.advance('5 seconds')
      await expectNothingLeft(t)
    })
  })

  test('learns of a pool that is gone, and starts it again when it is told to', async () => {
    const t = await ready()
    await t.app.send(pool, 'c/a', DeletePool({ pool: 'c/a' }))
    expect(await stateOf(t, pool, 'c/a')).toBe('gone')
    expect(await stateOf(t, cluster, 'c')).toBe('degraded')
    await t.app.send(cluster, 'c', RepairCluster({ cluster: 'c' }))
    expect(await stateOf(t, cluster, 'c')).toBe('ready')
    expect(await nodesIn(t, 'ready')).toEqual(['c/a/n0', 'c/a/n1'])
    await remove(t)
    await expectNothingLeft(t)
  })
})

describe('a plane', () => {
  test('is upgraded', async () => {
    const t = await ready()
    await t.app.send(plane, 'c/plane', UpgradePlane({ plane: 'c/plane', version: '1.34' }))
    expect(await path(t, plane, 'c/plane')).toEqual(['installing', 'up', 'installing', 'up'])
    expect(t.calls(installPlane).at(-1)?.input.version).toBe('1.34')
    await t.end()
  })
})

describe('a pool', () => {
  test('grows by what is missing', async () => {
    const t = await ready()
    await scale(t, 4)
    expect(await path(t, pool, 'c/a')).toEqual(['growing', 'rolling', 'ready', 'growing', 'rolling', 'ready'])
    expect(await nodesIn(t, 'ready')).toEqual(['c/a/n0', 'c/a/n1', 'c/a/n2', 'c/a/n3'])
    expect(t.calls(createVm)).toHaveLength(4)
    await t.end()
  })

  test('shrinks from the end, and a node that it had once gets a new life', async () => {
    const t = await ready()
    await scale(t, 1)
    expect(await nodesIn(t, 'ready')).toEqual(['c/a/n0'])
    expect((await look(t, pool, 'c/a')).data).toMatchObject({ nodes: ['c/a/n0'], leaving: [] })
    await scale(t, 2)
    expect(await nodesIn(t, 'ready')).toEqual(['c/a/n0', 'c/a/n1'])
    await remove(t)
    await expectNothingLeft(t)
  })

  test('of the right size stays as it is', async () => {
    const t = await ready()
    expect(await scale(t, 2)).toMatchObject({ outcome: 'refused', why: 'if' })
    await t.end()
  })

  test('is upgraded one node at a time', async () => {
    const t = await ready()
    t.fake(drain, late('20 seconds', { evicted: 7 }))
    await upgrade(t, '1.34')
    expect(await nodesIn(t, 'draining')).toEqual(['c/a/n0'])
    expect(await stateOf(t, pool, 'c/a')).toBe('upgrading')
    await t.advance('20 seconds')
    expect(await nodesIn(t, 'draining')).toEqual(['c/a/n1'])
    await t.advance('20 seconds')
    expect(await path(t, pool, 'c/a')).toEqual([
      'growing',
      'rolling',
      'ready',
      'rolling',
      'upgrading',
      'rolling',
      'upgrading',
      'rolling',
      'ready',
    ])
    expect(
      t
        .calls(createVm)
        .map(({ input }) => input.image)
        .slice(2),
    ).toEqual(['k8s-1.34', 'k8s-1.34'])
    expect(t.calls(drain).map(({ input }) => input)).toEqual([
      { node: 'c/a/n0', grace: 30 },
      { node: 'c/a/n1', grace: 30 },
    ])
    // All are of that version now: nothing is drained again.
    await upgrade(t, '1.34')
    expect(t.calls(drain)).toHaveLength(2)
    await t.end()
  })

  test('whose upgrade breaks a node goes on when that is repaired, and drains it once', async () => {
    const t = await ready()
    t.fake(createVm, refuses('QuotaExceeded'))
    await upgrade(t, '1.34')
    expect(await nodesIn(t, 'broken')).toEqual(['c/a/n0'])
    expect(await stateOf(t, pool, 'c/a')).toBe('degraded')
    t.fake(createVm, ({ name }) => ({ vmId: `vm-${name}` }))
    await repair(t, 'c/a/n0')
    expect(await stateOf(t, pool, 'c/a')).toBe('ready')
    expect(t.calls(drain).map(({ input }) => input.node)).toEqual(['c/a/n0', 'c/a/n1'])
    expect((await look(t, node, 'c/a/n1')).data.version).toBe('1.34')
    await t.end()
  })

  test('that is deleted while it is upgraded goes', async () => {
    const t = await ready()
    t.fake(drain, late('20 seconds', { evicted: 7 }))
    await upgrade(t, '1.34')
    await t.app.send(pool, 'c/a', DeletePool({ pool: 'c/a' }))
    expect(await look(t, pool, 'c/a')).toMatchObject({ state: 'shrinking', data: { nodes: [], queue: [] } })
    await t.advance('20 seconds')
    expect(await nodesIn(t, 'draining')).toEqual(['c/a/n0'])
    await t.advance('20 seconds')
    expect(await stateOf(t, pool, 'c/a')).toBe('gone')
    await remove(t)
    await expectNothingLeft(t)
  })

  test('that is cancelled takes its nodes with it', async () => {
    const t = make()
    await t.app.run(pool, { id: 'p', data: { size: 's', version: '1.33', nodes: ['p/n0', 'p/n1'] } })
    await t.settle()
    await t.app.get(pool, 'p').cancel({ why: 'by mistake' })
    expect(await nodesIn(t, 'gone')).toEqual(['p/n0', 'p/n1'])
    expect((await look(t, pool, 'p')).status).toBe('cancelled')
    expect(t.calls(deleteVm)).toHaveLength(2)
    await t.end()
  })
})

describe('a node', () => {
  test('that is lost is repaired, and pool and cluster come back by themselves', async () => {
    const t = await ready()
    await lose(t, 'c/a/n1')
    expect(await look(t, node, 'c/a/n1')).toMatchObject({ state: 'broken', data: { reason: 'no heartbeat' } })
    expect([await stateOf(t, pool, 'c/a'), await stateOf(t, cluster, 'c')]).toEqual(['degraded', 'degraded'])
    await repair(t, 'c/a/n1')
    expect(await look(t, node, 'c/a/n1')).toMatchObject({ state: 'ready', data: { repairs: 1 } })
    expect([await stateOf(t, pool, 'c/a'), await stateOf(t, cluster, 'c')]).toEqual(['ready', 'ready'])
    expect(t.calls(deleteVm).map(({ input }) => input.vmId)).toEqual(['vm-c/a/n1'])
    await t.end()
  })
})
