// One tab stop for many buttons, with arrow keys.

const steps: Readonly<Record<string, readonly [down: number, right: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
}

type Options = Readonly<{
  /** Left and right move within a row. */
  sideways: boolean
  /** Draws the row with that `data-index`. */
  reveal(index: number): void
}>

/** Rows have `data-index`. Call the result after each drawing. */
export function openRoving(place: Element, selector: string, { sideways, reveal }: Options): () => void {
  let current: HTMLElement | undefined

  const refresh = () => {
    const all = [...place.querySelectorAll<HTMLElement>(selector)]
    if (!current || !all.includes(current)) current = all[0]
    for (const one of all) one.tabIndex = one === current ? 0 : -1
  }
  const cellsOf = (row: Element | null) => [...(row?.querySelectorAll<HTMLElement>(selector) ?? [])]

  place.addEventListener('focusin', ({ target }) => {
    if (!(target instanceof HTMLElement) || !target.matches(selector)) return
    current = target
    refresh()
  })
  place.addEventListener('keydown', (event) => {
    const { key, target } = event as KeyboardEvent
    const [down, right] = steps[key] ?? [0, 0]
    if (!(target instanceof HTMLElement) || !target.matches(selector)) return
    if (down === 0 && (right === 0 || !sideways)) return
    event.preventDefault()
    const row = target.closest<HTMLElement>('[data-index]')
    const cells = cellsOf(row)
    const column = cells.indexOf(target)
    if (down === 0) {
      cells[column + right]?.focus()
      return
    }
    const index = Number(row?.dataset.index) + down
    reveal(index)
    const next = cellsOf(place.querySelector(`[data-index="${index}"]`))
    const cell = next[column] ?? next.at(-1)
    cell?.focus()
  })
  return refresh
}
