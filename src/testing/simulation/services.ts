// The services that runs are about, by name: a plan names them.
import type { SeededRandom } from '../../base/random.ts'
import { randomService } from './random/service.ts'
import type { SimulatedService } from './service.ts'
import type { Setting } from './setting.ts'
import { KINDS, shopOf } from './shop.ts'

const made = new Map<string, SimulatedService>()

/** The services of a plan: the same ones for the same names. */
export const servicesOf = (names: readonly string[]): readonly SimulatedService[] => names.map(serviceOf)

function serviceOf(name: string): SimulatedService {
  // Random ones are many, and keep what is made of them themselves.
  if (name.startsWith(RANDOM)) return randomService(Number(name.slice(RANDOM.length)))
  let service = made.get(name)
  if (service === undefined) made.set(name, (service = shopOf(name.slice(SHOP.length).split('+'))))
  return service
}

const SHOP = 'shop '
const RANDOM = 'random '
/** As many seeds in a row share one random service: to make its definitions takes as long as to run a seed. */
const SHARED = 32

/** Draws what a run is about: half of them the shop, half a random service, a few both. */
export function drawServices(random: SeededRandom, { size }: Setting, seed: number): readonly string[] {
  const shop = `${SHOP}${KINDS.filter((kind) => size[kind] > 0).join('+')}`
  const drawn = `${RANDOM}${Math.floor(seed / SHARED)}`
  const how = random.next()
  return how < 0.47 ? [shop] : how < 0.53 ? [shop, drawn] : [drawn]
}
