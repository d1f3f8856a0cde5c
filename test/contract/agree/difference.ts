// Where two JSON values part, said in one line.

/** The first place in which they differ, with what stands there; undefined: nowhere. */
export function difference(a: unknown, b: unknown, path = ''): string | undefined {
  if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b))
    return Object.is(a, b) ? undefined : `${path || 'all of it'}: ${short(a)} in the model, ${short(b)} in the file`
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (Object.hasOwn(a, key) && Object.hasOwn(b, key)) {
      const found = difference(a[key], b[key], `${path}.${key}`)
      if (found !== undefined) return found
    } else
      return `${path}.${key}: ${Object.hasOwn(a, key) ? `${short(a[key])} in the model only` : `${short(b[key])} in the file only`}`
  }
  return undefined
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null
const short = (value: unknown): string => JSON.stringify(value).slice(0, 300)
