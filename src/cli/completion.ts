import type { Command } from 'commander'
import { badUsage } from './exit.ts'
import type { Shell } from './shell.ts'

/** Values that an option has by itself. */
const VALUES: Readonly<Record<string, string>> = {
  '--status': 'running waiting stalled done failed cancelled',
  '--format': 'mermaid dot json',
}

/** What may come next, by the commands that stand before: `dead-letters list`. */
function words(command: Command, path: string): readonly (readonly [path: string, words: string])[] {
  const visible = command.commands.filter((one) => one.name() !== 'help')
  const options = command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ short, long }) => long ?? short ?? [])
  const next = [...visible.map((one) => one.name()), ...options].join(' ')
  return [
    [path, path === 'completion' ? Object.keys(SCRIPTS).join(' ') : next],
    ...visible.flatMap((one) => words(one, `${path} ${one.name()}`.trim())),
  ]
}

const cases = (list: Iterable<readonly [string, string]>): string =>
  [...list].map(([key, value]) => `    '${key}') next='${value}' ;;`).join('\n')

/** Options that want a value which only the user knows, a file perhaps. */
const valued = (command: Command): readonly string[] => {
  const own = command.options.filter((option) => option.required).flatMap(({ long }) => long ?? [])
  const all = new Set([...own, ...command.commands.flatMap(valued)])
  return [...all].filter((name) => !Object.hasOwn(VALUES, name))
}

/** Sets `next` by `$place` (the commands so far) and `$before` (the word before). Where nothing is set files are completed. */
const choice = (program: Command): string => `  case "$before" in
${cases(Object.entries(VALUES))}
    ${valued(program).join(' | ')}) place='-' ;;
  esac
  [ -n "$next" ] || case "$place" in
${cases(words(program, ''))}
  esac`

/** Whether a word may still name a command: at the beginning, and behind one that has commands of its own. */
const mayGoOn = (program: Command): string =>
  ['', ...program.commands.filter((one) => one.commands.length > 0).map((one) => one.name())]
    .map((name) => `'${name}'`)
    .join(' | ')

const bash = (program: Command): string => `# pawl: source <(pawl completion bash)
_pawl() {
  local place='' next='' word before="\${COMP_WORDS[COMP_CWORD - 1]}"
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    case "$word" in -*) break ;; esac
    case "$place" in ${mayGoOn(program)}) place="\${place:+$place }$word" ;; esac
  done
${choice(program)}
  mapfile -t COMPREPLY < <(compgen -W "$next" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _pawl pawl
`

const zsh = (program: Command): string => `#compdef pawl
# pawl: source <(pawl completion zsh)
_pawl() {
  local place='' next='' word before="\${words[CURRENT - 1]}"
  for word in "\${(@)words[2,CURRENT - 1]}"; do
    case "$word" in -*) break ;; esac
    case "$place" in ${mayGoOn(program)}) place="\${place:+$place }$word" ;; esac
  done
${choice(program)}
  if [ -n "$next" ]; then compadd -- \${=next}; else _files; fi
}
compdef _pawl pawl
`

const SCRIPTS: Readonly<Record<string, (program: Command) => string>> = { bash, zsh }

/** `pawl completion`: a script for the shell, made of the commands themselves. */
export function completion(shell: Shell): void {
  const example = `source <(pawl completion bash)
pawl completion zsh > ~/.zfunc/_pawl`
  const command = shell.program
    .command('completion <shell>')
    .description('print a completion script for bash or zsh')
    .addHelpText('after', `\nExample:\n${example.replaceAll(/^/gm, '  ')}`)
  shell.runs<object>(command, async ({ terminal }, _, [name]) => {
    const script = name !== undefined && Object.hasOwn(SCRIPTS, name) ? SCRIPTS[name] : undefined
    if (script === undefined) throw badUsage(`completion ${name ?? ''}: write bash or zsh`)
    terminal.line(script(shell.program).trimEnd())
    await Promise.resolve()
  })
}
