// What runs on a machine of the cloud: when it has started it says so. A test and `main.ts` need it; a real cloud brings it along.
import type { App } from 'pawl'
import { node, NodeJoined } from './kubernetes.ts'

/** The machines of a cloud, as long as an app lets them join. */
export interface Kubelets {
  /** Resolves when nobody is about to join; at once, with false, where nobody was. */
  idle(): Promise<boolean>
}

/** Lets every new machine join, with the version that it was made of. */
export function kubelets(app: App): Kubelets {
  const joining = new Set<Promise<void>>()
  app.on((e) => {
    if (e.kind !== 'transition' || e.machine !== node.name || e.to !== 'joining' || e.from === e.to) return
    const joins: Promise<void> = join(app, e.id).finally(() => joining.delete(joins))
    joining.add(joins)
  })
  return {
    async idle() {
      if (joining.size === 0) return false
      await Promise.all(joining)
      return true
    },
  }
}

async function join(app: App, id: string): Promise<void> {
  const { data } = await app.get(node, id).state()
  await app.emit(NodeJoined({ node: id, version: data.version }))
}
