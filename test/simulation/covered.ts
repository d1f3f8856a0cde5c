// What runs must meet, all together: what is never met was never tried.

/** Names of the coverage (src/testing/simulation/coverage.ts) that must not be zero, by kind. */
const COVERED: Readonly<Record<string, readonly string[]>> = {}

const names = Object.entries(COVERED).flatMap(([kind, words]) => words.map((word) => `${kind} ${word}`))

/** Those that were not met. */
export const unmet = (counts: Readonly<Record<string, number>>): readonly string[] =>
  names.filter((name) => (counts[name] ?? 0) === 0)

/** All counts as lines, by kind; what must be met and was not is there with a zero. */
export function coverageTable(counts: Readonly<Record<string, number>>): string {
  const kinds = new Map<string, string[]>()
  for (const name of [...new Set([...names, ...Object.keys(counts)])].toSorted()) {
    const space = name.indexOf(' ')
    const [kind, word] = space < 0 ? ['other', name] : [name.slice(0, space), name.slice(space + 1)]
    const line = `${word} ${counts[name] ?? 0}`
    const lines = kinds.get(kind)
    if (lines === undefined) kinds.set(kind, [line])
    else lines.push(line)
  }
  return Array.from(kinds, ([kind, lines]) => `${kind}: ${lines.join(', ')}`).join('\n')
}
