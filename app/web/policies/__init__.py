"""Parts of the page that compares replacement policies: what is asked, the curve, the steps, the words."""
