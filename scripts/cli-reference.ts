// The reference of the command line, made of its help texts. Run, it writes docs/reference/cli.md:
//
//   node --conditions=pawl-source scripts/cli-reference.ts
import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { EXITS } from '../src/cli/exit.ts'
import { shellOf } from '../src/cli/program.ts'

const silent = { write: () => true }

function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({ writeOut: (part) => (text += part) })
  command.outputHelp()
  return text.trim()
}

/** The commands that do something, with those of theirs. */
const commandsOf = (command: Command): readonly Command[] =>
  command.commands
    .filter((one) => one.name() !== 'help')
    .flatMap((one) => (one.commands.length === 0 ? [one] : commandsOf(one)))

const pathOf = (command: Command): string =>
  command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`

/** The page. */
export function reference(): string {
  const { program } = shellOf({ out: silent, err: silent, env: {}, cwd: '/' })
  const exits = Object.values(EXITS).map(([code, says]) => `| ${code} | ${says} |`)
  const sections = commandsOf(program).map(
    (command) => `## ${pathOf(command)}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\``,
  )
  return `<!-- Made by scripts/cli-reference.ts of the help texts: change those. -->
<!-- prettier-ignore-start -->

# The command line

\`\`\`text
${helpOf(program)}
\`\`\`

## Exit codes

| code | meaning |
| --- | --- |
${exits.join('\n')}

With \`--json\` the result is one JSON document on the standard output, and an error one line of JSON (\`code\`, \`message\`, \`details\`) on the
other. Colours and moving lines are for terminals alone; \`NO_COLOR\` takes colours away there too.

${sections.join('\n\n')}

<!-- prettier-ignore-end -->
`
}

if (import.meta.main) writeFileSync(new URL('../docs/reference/cli.md', import.meta.url), reference())
