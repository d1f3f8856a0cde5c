// npm run example kubernetes: a cluster is created, scaled and upgraded; a node is lost and repaired; then all of it is deleted.
import { say, show } from '../show.ts'
import { kubelets } from './kubelet.ts'
import { cluster, node, NodeLost, pool, RepairNode, ScalePool, services, UpgradePool } from './kubernetes.ts'

await show(services, async (app) => {
  kubelets(app)

  say('A cluster of two nodes')
  const c = await app.run(cluster, {
    id: 'c',
    data: { cidr: '10.0.0.0/16', version: '1.33', pools: [{ name: 'a', size: 'm', count: 2 }] },
  })
  await c.reaches('ready')

  say('A third node')
  await app.send(pool, 'c/a', ScalePool({ pool: 'c/a', size: 3 }))
  await app.get(pool, 'c/a').reaches('ready')

  say('Another version, node by node')
  await app.send(pool, 'c/a', UpgradePool({ pool: 'c/a', version: '1.34' }))
  await app.get(pool, 'c/a').reaches('ready')

  say('A node is lost: its pool and the cluster are degraded')
  await app.emit(NodeLost({ node: 'c/a/n1', reason: 'no heartbeat' }))
  await c.reaches('degraded')

  say('The night shift repairs whatever is broken: all come back by themselves')
  for (const { id } of (await app.list(node, { state: 'broken' })).items)
    await app.send(node, id, RepairNode({ node: id }), { by: 'night shift' })
  await c.reaches('ready')

  say('The project is over')
  await c.cancel({ why: 'the project is over', by: 'ann' })
  await c.reaches('gone')
})
