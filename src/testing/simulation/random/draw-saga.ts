// Draws one saga: steps that can be undone, a pivot perhaps, and what only goes forward.
import type { Drawing } from './draw.ts'
import type { ActivitySketch, BranchSketch, MessageSketch, SagaPart, SagaSketch } from './sketch.ts'

/** What a saga is drawn with. */
export interface SagaFrame {
  readonly name: string
  readonly prefix: string
  readonly activities: readonly ActivitySketch[]
  readonly events: readonly MessageSketch[]
  readonly begin: string
  readonly stop: string
}

/** With what the names of steps after the pivot begin. */
export const PAST = 'f'

/** Draws one saga. */
export function drawSaga(drawing: Drawing, frame: SagaFrame): SagaSketch {
  const { random } = drawing
  const parts: SagaPart[] = []
  if (drawing.maybe('saga emit', 0.2)) parts.push({ is: 'emit', type: random.pick(frame.events).type })
  const before = 1 + random.int(3)
  for (let i = 0; i < before; i++) drawStage(drawing, frame, `b${i}`, false, parts)
  if (drawing.maybe('saga pivot', 0.5)) {
    parts.push({ is: 'pivot' })
    const after = 1 + random.int(2)
    for (let i = 0; i < after; i++) drawStage(drawing, frame, `${PAST}${i}`, true, parts)
  }
  if (drawing.maybe('saga failed', 0.5)) parts.push({ is: 'failed', type: random.pick(frame.events).type })
  return {
    name: frame.name,
    parts,
    ...(drawing.maybe('saga start', 0.4) && { start: frame.begin }),
    ...(drawing.maybe('saga cancel', 0.5) && { cancel: frame.stop }),
    ...(drawing.maybe('priority', 0.3) && { priority: random.int(3) - 1 }),
    fair: drawing.maybe('fairBy', 0.3),
  }
}

/** One step of the line, and what is emitted when it is done. */
function drawStage(drawing: Drawing, frame: SagaFrame, name: string, past: boolean, parts: SagaPart[]): void {
  const { random } = drawing
  if (random.chance(0.2)) {
    // The same message twice in a row would be taken for the next one.
    const taken = parts.flatMap((part) => (part.is === 'wait' ? [part.type] : []))
    const free = frame.events.filter(({ type }) => !taken.includes(type))
    if (free.length > 0) {
      drawing.use('saga wait')
      const goesOn = past && drawing.maybe('saga value', 0.7)
      parts.push({ is: 'wait', name, type: random.pick(free).type, withinMs: 1_000 + random.int(4_000), goesOn })
      return
    }
  }
  const alone = random.chance(0.7)
  drawing.use(alone ? 'saga step' : 'saga parallel')
  const branches = Array.from({ length: alone ? 1 : 2 }, (_, i) =>
    drawBranch(drawing, frame, alone ? name : `x${i}`, past),
  )
  parts.push({ is: 'step', name, branches, alone })
  if (drawing.maybe('saga emit', 0.2)) parts.push({ is: 'emit', type: random.pick(frame.events).type })
}

function drawBranch(drawing: Drawing, { prefix }: SagaFrame, name: string, past: boolean): BranchSketch {
  const { random } = drawing
  const undone = !past && drawing.maybe('saga undo', 0.75)
  const which = random.int(2)
  const otherwise = past
    ? drawing.maybe('saga value', 0.6) && 'value'
    : drawing.maybe('saga undo otherwise', 0.5) && 'undo'
  return {
    name,
    activity: undone ? `${prefix}do${which}` : `${prefix}a${which}`,
    ...(drawing.maybe('saga within', 0.3) && { withinMs: 1_500 + random.int(4_000) }),
    ...(otherwise !== false && { otherwise }),
    ...(undone && { undo: `${prefix}undo${which}` }),
    mayNeedNoUndo: undone && drawing.maybe('saga undo of nothing', 0.15),
  }
}
