"""What each template is given: one class a page, in words and figures, so that no template computes.

Each field has a docstring of its own, the string below it, and a test holds that none is missing. Widths and
positions are in the units of the drawing's viewBox, or where it says so in thousandths of its width. The
contexts of panels stand in the panels' modules, in app/web/panels/.
"""
