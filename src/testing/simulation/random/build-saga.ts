// Makes sagas of sketches.
import { saga } from '../../../machine/saga.ts'
import type { AnyMachine } from '../../../machine/types-machine.ts'
import { PAYLOAD } from './build.ts'
import type { Parts } from './build.ts'
import type { BranchSketch, RandomPayload, SagaPart, SagaSketch } from './sketch.ts'

/** The builder of the public API, without the types that follow what was written so far. */
interface Builder {
  step(name: string, options: object): Builder
  parallel(name: string, branches: object): Builder
  wait(name: string, options: object): Builder
  pivot(): Builder
  emit(type: unknown, data: (scope: Scope) => RandomPayload): Builder
  failed(type: unknown, data: (scope: Scope) => RandomPayload): Builder
  done(output: (scope: Scope) => unknown): AnyMachine
}
interface Scope {
  readonly id: string
  readonly input: RandomPayload
  readonly results: Readonly<Record<string, unknown>>
}
interface UndoScope extends Scope {
  readonly step: { readonly key: string; readonly outcome: string; readonly result?: { readonly v: number } }
}

/** Whether a step with that result needs no undoing, though it has an undo. */
export const needsNoUndo = ({ mayNeedNoUndo }: BranchSketch, result: { readonly v: number } | undefined): boolean =>
  mayNeedNoUndo && result !== undefined && result.v % 3 === 0

const resultsSum = ({ input, results }: Scope): number =>
  input.v + Object.keys(results).reduce((sum, name) => sum + name.length, 0)

function branch(sketch: BranchSketch, { activities }: Parts): object {
  const { activity, withinMs, otherwise, undo } = sketch
  return {
    call: activities.get(activity)!,
    input: (scope: Scope) => ({ v: resultsSum(scope) % 97 }),
    ...(withinMs !== undefined && { within: `${withinMs} ms` }),
    ...(otherwise !== undefined && { otherwise: otherwise === 'value' ? { value: { v: 1 } } : otherwise }),
    ...(undo !== undefined && {
      undo: {
        call: activities.get(undo)!,
        input: ({ step }: UndoScope) => (needsNoUndo(sketch, step.result) ? null : { key: step.key }),
      },
    }),
  }
}

function add(builder: Builder, part: SagaPart, parts: Parts): Builder {
  switch (part.is) {
    case 'step': {
      const [only] = part.branches
      if (part.alone && only !== undefined) return builder.step(part.name, branch(only, parts))
      return builder.parallel(part.name, Object.fromEntries(part.branches.map((one) => [one.name, branch(one, parts)])))
    }
    case 'wait':
      return builder.wait(part.name, {
        for: parts.messages.get(part.type)!,
        ...(part.withinMs !== undefined && { within: `${part.withinMs} ms` }),
        ...(part.goesOn && { otherwise: { value: { to: 'nobody', v: 2 } } }),
      })
    case 'pivot':
      return builder.pivot()
    case 'emit':
    case 'failed':
      return builder[part.is](parts.messages.get(part.type)!, (scope) => ({ to: scope.id, v: resultsSum(scope) % 97 }))
  }
}

/** A saga. */
export function buildSaga(sketch: SagaSketch, parts: Parts): AnyMachine {
  const { name, start, cancel, priority, fair } = sketch
  const options = {
    input: PAYLOAD,
    ...(start !== undefined && { start: parts.messages.get(start)! }),
    ...(cancel !== undefined && { cancel: parts.messages.get(cancel)! }),
    ...(priority !== undefined && { priority }),
    ...(fair && { fairBy: ({ input }: { readonly input: RandomPayload }) => `f${input.v % 2}` }),
  }
  const begun = saga(name, options as never) as unknown as Builder
  const built = sketch.parts.reduce((builder, part) => add(builder, part, parts), begun)
  return built.done(({ results }) => Object.keys(results))
}
