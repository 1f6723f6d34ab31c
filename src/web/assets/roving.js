// Many buttons and one stop of the Tab key: arrows go from one to the next.

const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }

/**
 * Makes of the buttons in a place that the selector picks one stop of the Tab key. With `sideways` the left and right
 * arrows go within a row too. Returns what to call after each drawing.
 */
export function openRoving(place, selector, { row, sideways }) {
  let current

  const refresh = () => {
    const all = [...place.querySelectorAll(selector)]
    if (!all.includes(current)) current = all[0]
    for (const one of all) one.tabIndex = one === current ? 0 : -1
  }

  place.addEventListener('focusin', ({ target }) => {
    if (!target.matches?.(selector)) return
    current = target
    refresh()
  })
  place.addEventListener('keydown', (event) => {
    const [down, right] = steps[event.key] ?? [0, 0]
    if (!event.target.matches?.(selector) || (down === 0 && (right === 0 || !sideways))) return
    const rows = [...place.querySelectorAll(row)].map((one) => [...one.querySelectorAll(selector)])
    const at = rows.findIndex((one) => one.includes(event.target))
    const column = rows[at].indexOf(event.target)
    const next =
      down === 0 ? rows[at][column + right] : (rows[at + down]?.[column] ?? rows[at + down]?.at(-1))
    event.preventDefault()
    next?.focus()
  })
  return refresh
}
