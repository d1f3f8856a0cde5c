import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, sep } from 'node:path'
import { parseSync, visitorKeys } from 'oxc-parser'

/** The repository's root, with a slash at the end. */
export const root = new URL('../../', import.meta.url).pathname

/** A node of the syntax tree; only what the checks ask for. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

/** One import, re-export, `import()` or `import('…')` type of a file. */
export interface Import {
  readonly specifier: string
  /** The file in the repository that it means, or undefined for a package or a module of Node. */
  readonly path: string | undefined
  readonly line: number
}

/** One file, parsed. */
export interface SourceFile {
  /** From the repository's root, with slashes. */
  readonly path: string
  readonly text: string
  /** All nodes, each with those it lies in, the outermost first. */
  readonly nodes: readonly { readonly node: Node; readonly parents: readonly Node[] }[]
  readonly body: readonly Node[]
  readonly comments: readonly {
    readonly type: string
    readonly value: string
    readonly start: number
    readonly end: number
  }[]
  readonly imports: readonly Import[]
  /** Files that it starts threads from: `new URL('./…', import.meta.url)`, which is no import and so makes no cycle. */
  readonly threads: readonly string[]
  lineOf(offset: number): number
}

const collect = (node: Node, parents: readonly Node[], into: { node: Node; parents: readonly Node[] }[]): void => {
  into.push({ node, parents })
  const inside = [...parents, node]
  for (const key of visitorKeys[node.type] ?? []) {
    const child = node[key]
    for (const part of Array.isArray(child) ? child : [child]) {
      if (typeof part === 'object' && part !== null && 'type' in part) collect(part as Node, inside, into)
    }
  }
}

const importKinds = new Set([
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'ImportExpression',
  'TSImportType',
])

const parse = (path: string): SourceFile => {
  const text = readFileSync(join(root, path), 'utf8')
  const parsed = parseSync(path, text)
  if (parsed.errors.length > 0) throw new Error(`${path}: ${parsed.errors[0]!.message}`)
  const nodes: { node: Node; parents: readonly Node[] }[] = []
  collect(parsed.program as unknown as Node, [], nodes)
  const lineOf = (offset: number): number => text.slice(0, offset).split('\n').length
  const imports = nodes.flatMap(({ node }): Import[] => {
    const specifier = importKinds.has(node.type) ? (node['source'] as { value?: unknown } | null)?.value : undefined
    if (typeof specifier !== 'string') return []
    const own = specifier.startsWith('.') ? normalize(join(dirname(path), specifier)).replaceAll(sep, '/') : undefined
    return [{ specifier, path: own, line: lineOf(node.start) }]
  })
  const threads = nodes.flatMap(({ node }) => {
    const [file] = (node['arguments'] ?? []) as readonly { readonly value?: unknown }[]
    const isUrl = node.type === 'NewExpression' && (node['callee'] as { name?: string }).name === 'URL'
    const own = isUrl && typeof file?.value === 'string' && file.value.startsWith('./') ? file.value : undefined
    return own === undefined ? [] : [join(dirname(path), own).replaceAll(sep, '/')]
  })
  return {
    path,
    text,
    nodes,
    body: (parsed.program as unknown as { body: Node[] }).body,
    comments: parsed.comments,
    imports,
    threads,
    lineOf,
  }
}

/** The TypeScript files below some folders; folders that are not there (yet) count as empty. */
export const sourceFiles = (...folders: string[]): SourceFile[] =>
  folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: root }))
    .map((path) => path.replaceAll(sep, '/'))
    .toSorted((a, b) => a.localeCompare(b))
    .map(parse)

/** Lines that hold more than blanks and comments. */
export function codeLines(file: SourceFile): number {
  let code = ''
  let from = 0
  for (const comment of file.comments) {
    code += file.text.slice(from, comment.start)
    from = comment.end
  }
  code += file.text.slice(from)
  return code.split('\n').filter((line) => line.trim() !== '').length
}

/** Groups of files that import each other round about; empty when there are none. */
export function importCycles(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) cycles.push([...trail.slice(at), path].join(' → '))
    if (at >= 0 || done.has(path)) return
    for (const { path: next } of byPath.get(path)?.imports ?? []) {
      if (next !== undefined && byPath.has(next)) visit(next, [...trail, path])
    }
    done.add(path)
  }
  for (const file of files) visit(file.path, [])
  return cycles
}
