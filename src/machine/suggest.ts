/** The number of single letters to add, drop or change, two neighbours that changed places counting once. */
const distance = (a: string, b: string): number => {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, before[j - 2]! + 1)
    }
    before = last
    last = row
  }
  return last[b.length]!
}

/** `; did you mean "ready"?` where one of the names is near to `name` (a third of its letters, at most 3); else an empty text. */
export function didYouMean(name: string, names: Iterable<string>): string {
  let best: string | undefined
  let least = Math.min(3, Math.ceil(name.length / 3)) + 1
  for (const other of names) {
    // The lengths alone may tell, and a wrong name can be of any length.
    if (Math.abs(other.length - name.length) >= least) continue
    const far = distance(name.toLowerCase(), other.toLowerCase())
    if (far < least) [best, least] = [other, far]
  }
  return best === undefined ? '' : `; did you mean "${best}"?`
}
