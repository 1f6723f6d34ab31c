// One tooltip for hover and focus; Escape hides it.

/** Shows `data-tip`. Call the result after drawing, as elements may change. */
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
  // Scrolling moves the tip.
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

/** Above if possible, within the window. */
function placeBeside(tip: HTMLElement, { left, top, bottom, width }: DOMRect): void {
  const { offsetWidth, offsetHeight } = tip
  const centred = left + width / 2 - offsetWidth / 2
  const rightmost = document.documentElement.clientWidth - offsetWidth - gap
  tip.style.left = `${Math.max(gap, Math.min(centred, rightmost))}px`
  tip.style.top = `${top > offsetHeight + 2 * gap ? top - offsetHeight - gap : bottom + gap}px`
}
