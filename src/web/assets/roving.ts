// Many buttons and one stop of the Tab key: arrows go from one to the next.

const steps: Readonly<Record<string, readonly [down: number, right: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
}

/**
 * Makes of the buttons in a place that the selector picks one stop of the Tab key. With `sideways` the left and right
 * arrows go within a row too. Returns what to call after each drawing.
 */
export function openRoving(
  place: Element,
  selector: string,
  { row, sideways }: Readonly<{ row: string; sideways: boolean }>,
): () => void {
  let current: HTMLElement | undefined

  const refresh = () => {
    const all = [...place.querySelectorAll<HTMLElement>(selector)]
    if (!current || !all.includes(current)) current = all[0]
    for (const one of all) one.tabIndex = one === current ? 0 : -1
  }

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
    const rows = [...place.querySelectorAll(row)].map((one) => [
      ...one.querySelectorAll<HTMLElement>(selector),
    ])
    const at = rows.findIndex((one) => one.includes(target))
    const column = rows[at]?.indexOf(target) ?? 0
    const next =
      down === 0 ? rows[at]?.[column + right] : (rows[at + down]?.[column] ?? rows[at + down]?.at(-1))
    event.preventDefault()
    next?.focus()
  })
  return refresh
}
