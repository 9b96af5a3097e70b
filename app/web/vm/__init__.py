"""The parts of the view of processes: which process and address it shows, areas, pages, walk, comparison."""
