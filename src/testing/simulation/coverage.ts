/** What runs have met: the more of it, the more was tried. */
export class Coverage {
  /** By name; a name's first word is its kind. */
  readonly counts: Record<string, number> = Object.create(null) as Record<string, number>

  /** It was met (once more). */
  add(name: string, by = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + by
  }
}
