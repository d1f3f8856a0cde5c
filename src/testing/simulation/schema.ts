import type { StandardSchemaV1 } from '@standard-schema/spec'

/** A schema of objects with these fields and no others; a name that ends in `?` may be missing. What the fields hold is not looked at. */
export const fields = <T extends object>(...names: readonly string[]): StandardSchemaV1<T, T> => ({
  '~standard': {
    version: 1,
    vendor: 'pawl simulation',
    validate(value) {
      if (typeof value !== 'object' || value === null) return { issues: [{ message: 'is no object' }] }
      const missing = names.filter((name) => !name.endsWith('?') && !Object.hasOwn(value, name))
      const known = new Set(names.map((name) => name.replace('?', '')))
      const unknown = Object.keys(value).filter((name) => !known.has(name))
      if (missing.length + unknown.length === 0) return { value: value as T }
      return { issues: [{ message: `misses [${missing.join(', ')}], does not know [${unknown.join(', ')}]` }] }
    },
  },
})
