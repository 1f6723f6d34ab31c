// One tooltip for the page: shown for what is pointed at or focused, gone with Escape.

/**
 * Shows the `data-tip` of an element in the given tooltip for as long as it is pointed at or focused. Returns what to
 * call after a drawing: it may have taken the element away, or changed what its tip says.
 */
export function followTips(tip: HTMLElement): () => void {
  let owner: HTMLElement | undefined

  const hide = () => {
    owner?.removeAttribute('aria-describedby')
    owner = undefined
    tip.hidden = true
  }

  const show = (wanted: HTMLElement) => {
    owner = wanted
    owner.setAttribute('aria-describedby', tip.id)
    tip.textContent = owner.dataset.tip ?? ''
    tip.hidden = false
    placeBeside(tip, owner.getBoundingClientRect())
  }

  const showFor = ({ target }: Event) => {
    const wanted = target instanceof Element ? target.closest<HTMLElement>('[data-tip]') : null
    if (wanted === (owner ?? null)) return
    hide()
    if (wanted) show(wanted)
  }

  document.addEventListener('pointerover', showFor)
  document.addEventListener('focusin', showFor)
  document.addEventListener('focusout', hide)
  // Focus may scroll its element into sight: the tip goes with it.
  const follow = () => {
    if (owner) placeBeside(tip, owner.getBoundingClientRect())
  }
  document.addEventListener('scroll', follow, { capture: true, passive: true })
  document.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') hide()
  })

  return () => {
    if (!owner) return
    if (owner.isConnected && owner.dataset.tip !== undefined) show(owner)
    else hide()
  }
}

const gap = 8

/** Above it where there is room, below it otherwise, and never out of the window. */
function placeBeside(tip: HTMLElement, { left, top, bottom, width }: DOMRect): void {
  const { offsetWidth, offsetHeight } = tip
  const centred = left + width / 2 - offsetWidth / 2
  const rightmost = document.documentElement.clientWidth - offsetWidth - gap
  tip.style.left = `${Math.max(gap, Math.min(centred, rightmost))}px`
  tip.style.top = `${top > offsetHeight + 2 * gap ? top - offsetHeight - gap : bottom + gap}px`
}
